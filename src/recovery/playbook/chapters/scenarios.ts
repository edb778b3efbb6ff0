import { formatDuration } from '../../../foundation/units.ts';
import type { PlannedStep, Runbook } from '../../../plan/index.ts';
import { type Block, chapter, commands, list, paragraph, part, table } from '../../../report/index.ts';
import type { Playbook } from '../playbook.ts';
import { SHOWN_COLUMNS, shownCells } from './cells.ts';

export function scenarios(playbook: Playbook): Block[] {
  const runbooks = [...playbook.facts.plan.runbooks.values()];
  return chapter(
    '6. Disaster scenarios and recovery',
    runbooks.length === 0
      ? [paragraph('The plan has no runbooks: nobody has written down what is to be done.', 'bad')]
      : [
          paragraph(
            'Each scenario has a runbook, which Holdfast carries out step by step and asks people where they decide. Behind it stands how each step is done by hand, for the day on which Holdfast is not at hand.',
          ),
        ],
    runbooks.flatMap((runbook, index) => scenario(playbook, runbook, index + 1)),
  );
}

function scenario(playbook: Playbook, runbook: Runbook, number: number): Block[] {
  const { name, description, params } = runbook;
  const promise = playbook.find('runbook', name);
  const command = ['holdfast recover', name, ...params.map((each) => `--param ${each.name}=VALUE`)].join(' ');
  const [measured, lastShown] = shownCells(promise);
  return part(
    `Scenario ${number}: ${runbook.scenario}`,
    description === undefined ? [] : [paragraph(description)],
    list(headLines(playbook, runbook)),
    table(['RTO', ...SHOWN_COLUMNS], [[promise?.promised ?? '–', measured, lastShown]]),
    params.length === 0
      ? []
      : table(
          ['To be said when it is started', 'What it is'],
          params.map((each) => [
            each.name,
            `${each.help ?? ''}${each.default === undefined ? '' : ` (else ${each.default})`}`,
          ]),
        ),
    commands([command, `${command} --dry-run   # what it would do`, `holdfast drill ${name}   # the same on copies`]),
    table(['', 'Step', 'What is done', 'Budget', ...SHOWN_COLUMNS], stepRows(playbook, runbook)),
    paragraph('By hand:'),
    byHand(playbook, runbook),
  );
}

function headLines({ facts: { plan } }: Playbook, { severity, symptoms, trigger, personalData }: Runbook): string[] {
  const services = [...plan.services.keys()].join(', ');
  return [
    `Severity ${severity.toUpperCase()}.`,
    ...(symptoms.length === 0
      ? []
      : [`Symptoms, as alerts: ${symptoms.join(', ')}${services === '' ? '' : ` (services: ${services})`}.`]),
    trigger === 'automatic' ? 'Its symptoms start it by themselves.' : 'A person starts it.',
    ...(personalData
      ? ['Personal data may be concerned: the authority is to be told within 72 hours (holdfast incident breach).']
      : []),
  ];
}

function stepRows({ facts, find }: Playbook, { name, steps }: Runbook): string[][] {
  return steps.map((step, index) => {
    const { document, withinMs } = step;
    const described = facts.steps.get(`${name}.${step.id}`);
    return [
      String(index + 1),
      document.title ?? step.id,
      [described?.does ?? document.do, ...conditions(step, steps[index - 1]?.id)].join('; '),
      withinMs === undefined ? '–' : formatDuration(withinMs),
      ...shownCells(find('step', `${name}.${step.id}`)),
    ];
  });
}

function conditions({ document, needs, onFailure, retries, restoresService, timeoutMs }: PlannedStep, before?: string) {
  const isNext = needs.length === (before === undefined ? 0 : 1) && (needs[0] === before || before === undefined);
  return [
    ...(isNext ? [] : [needs.length === 0 ? 'at once' : `after ${needs.join(', ')}`]),
    ...(document.when === undefined ? [] : [`only if ${document.when}`]),
    ...(retries === 0 ? [] : [`tried again up to ${retries} times`]),
    ...(timeoutMs === undefined ? [] : [`ended after ${formatDuration(timeoutMs)}`]),
    ...(onFailure === 'stop'
      ? []
      : [onFailure === 'ask' ? 'a person decides where it fails' : 'goes on where it fails']),
    ...(restoresService ? ['with its end people can work again'] : []),
  ];
}

function byHand({ facts }: Playbook, { name, steps }: Runbook): Block[] {
  return steps.flatMap(({ id, document }, index) =>
    commands([
      `# ${index + 1}. ${(document.title ?? id).replace(/\s*\n\s*/g, ' ')}`,
      ...(facts.steps.get(`${name}.${id}`)?.byHand ?? []),
    ]),
  );
}
