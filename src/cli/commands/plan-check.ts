import { EXIT } from '../../foundation/errors.ts';
import type { CommandDefinition } from '../command.ts';
import { counted, doubtful, good, oneLine } from '../text.ts';

export const planCheck: CommandDefinition = {
  name: 'plan check',
  summary: 'say all that is wrong with the plan',
  description:
    'Loads the plan and says all that is wrong or doubtful, with file, line and column. Fetches no secret and opens nothing.',
  examples: [
    { command: 'holdfast plan check', does: 'check the plan of this directory' },
    {
      command: 'holdfast --plan /etc/holdfast.yaml plan check --json',
      does: 'the same of another file, for a program',
    },
  ],
  exits: [],
  writes: false,
  async run({ loadPlan }) {
    const [{ plan, path, warnings }, { formatProblem }] = await Promise.all([
      loadPlan(),
      import('../../plan/index.ts'),
    ]);
    const sources = [...plan.sources.keys()];
    const repositories = [...plan.repositories.keys()];
    const lines = warnings.map((warning) => `${doubtful('warning:')} ${formatProblem(warning)}`);
    lines.push(
      oneLine`${good('valid:')} ${path}, ${counted(sources.length, 'source')} in ${counted(repositories.length, 'repository', 'repositories')}, ${counted(warnings.length, 'warning')}`,
    );
    return {
      exit: EXIT.done,
      json: { valid: true, path, name: plan.name, sources, repositories, warnings },
      text: lines.join('\n'),
    };
  },
};
