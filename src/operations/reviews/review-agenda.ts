import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { LedgerEvent } from '../../ledger/index.ts';
import type { LoadedPlan, PlanChange, ReviewKind } from '../../plan/index.ts';
import {
  chapter,
  commands,
  type Document,
  list,
  paragraph,
  renderHtml,
  renderMarkdown,
  renderText,
} from '../../report/index.ts';
import { differenceFrom, revisionsIn } from '../revisions/revisions.ts';
import { readRecord } from '../showings/read-record.ts';
import { SHOWING_KINDS } from '../showings/showings.ts';
import type { Workspace } from '../workspace.ts';
import { type Agenda, type AgendaItem, agendaOf, spanWords } from './agenda.ts';

const KINDS: readonly LedgerEvent['kind'][] = [
  ...SHOWING_KINDS,
  ...(['plan.applied', 'alert.resolved', 'source.moved', 'repository.promoted', 'missing.accepted'] as const),
  ...(['snapshot.held', 'snapshot.released', 'key.added', 'key.removed', 'locks.removed'] as const),
  ...(['token.created', 'token.revoked'] as const),
];

/** An agenda as programs read it. */
export interface AgendaReport extends Agenda {
  /** Repositories that could not be read, and why: what they tell is not in it. */
  unread: { repository: string; code: string; message: string }[];
}

/** An agenda, and the forms that it is shown in. */
export interface WrittenAgenda {
  report: AgendaReport;
  title: string;
  markdown: string;
  html: string;
  text: string;
}

/**
 * What a review of the plan has to talk about.
 * @throws bad-usage for one that the plan does not have
 */
export async function reviewAgenda(workspace: Workspace, loaded: LoadedPlan, review: string): Promise<WrittenAgenda> {
  const { plan, environment } = workspace;
  const known = [...plan.reviews.keys()];
  const kind = known.find((each) => each === review);
  if (kind === undefined) {
    throw new HoldfastError('bad-usage', `the plan has no review ${JSON.stringify(review)}`, {
      hint: known.length === 0 ? 'Add it to `reviews` in the plan.' : `It has ${known.join(', ')}.`,
    });
  }
  const record = await readRecord(workspace, KINDS);
  const nowMs = environment.clock.nowMs();
  const report = {
    ...agendaOf({
      ...{ plan, review: kind, events: record.events, nowMs },
      statuses: [...record.sources.values()].map(({ status }) => status),
      unapplied: unappliedIn(record.events, loaded),
    }),
    unread: record.unread.map(({ repository, error: { code: why, message } }) => ({ repository, code: why, message })),
  };
  const document = documentOf(report, nowMs);
  return {
    ...{ report, title: document.title },
    markdown: renderMarkdown(document),
    html: renderHtml(document),
    text: renderText(document),
  };
}

/** Without any revision, nothing was ever agreed on that the file could differ from. */
function unappliedIn(events: readonly LedgerEvent[], loaded: LoadedPlan): PlanChange[] {
  const newest = revisionsIn(events).at(-1);
  if (newest === undefined) return [];
  try {
    return differenceFrom(newest, loaded).changes;
  } catch (error) {
    if (!isHoldfastError(error, 'plan-invalid')) throw error;
    return [{ path: `all of it: this version cannot read revision ${newest.revision}`, kind: 'changed' }];
  }
}

const ABOUT: Readonly<Record<ReviewKind, string>> = {
  strategy: 'backups and what they promise',
  plan: 'recoveries, people, and the plan itself',
  audit: 'all of it',
};

function documentOf(report: AgendaReport, nowMs: number): Document {
  const { plan, review, since, wasHeld, changed, failed, untested, unread } = report;
  const from = wasHeld
    ? `Since the last one, ${since.slice(0, 10)}, ${spanWords(report, nowMs)} ago.`
    : `None was held before: it is of all that was recorded, from ${since.slice(0, 10)} on.`;
  return {
    title: `Review of the ${review} of ${plan}, ${new Date(nowMs).toISOString().slice(0, 10)}`,
    blocks: [
      paragraph(`It looks at ${ABOUT[review]}. ${from}`),
      ...unread.map(({ repository, message }) =>
        paragraph(`The repository ${repository} could not be read: ${message}. What it tells is not in here.`, 'bad'),
      ),
      ...chapter('What changed', items(changed, 'Nothing that was recorded.')),
      ...chapter('What failed, or was missed', items(failed, 'Nothing that was recorded.')),
      ...chapter('What was not tested since', items(untested, 'All of it was.')),
      ...chapter('Afterwards', commands([`holdfast review record ${review} --attended NAME --note TEXT`])),
    ],
  };
}

function items(all: readonly AgendaItem[], otherwise: string) {
  if (all.length === 0) return [paragraph(otherwise)];
  return list(all.map(({ text, at }) => (at === undefined ? text : `${at.slice(0, 10)}: ${text}`)));
}
