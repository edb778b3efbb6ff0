import {
  dueReviews,
  figuresByPeriod,
  PERIOD_KINDS,
  type PlanRecord,
  readRecord,
  revisionsIn,
  SHOWING_KINDS,
  Showings,
  showingsIn,
  type Workspace,
} from '../../operations/index.ts';
import { renderHtml, renderMarkdown, renderText } from '../../report/index.ts';
import { describeStep } from '../incidents/foresee.ts';
import { runOnPaper } from '../incidents/unopened-run.ts';
import type { Described } from '../step.ts';
import type { PlaybookFacts } from './facts.ts';
import { type Playbook, playbookOf } from './playbook.ts';
import { playbookDocument } from './playbook-document.ts';

const MONTHS = 12;
const QUARTERS = 4;

/** A playbook as programs read it; times are RFC 3339. */
export interface PlaybookReport extends Pick<Playbook, 'madeAt' | 'promises' | 'missed' | 'neverShown'> {
  plan: string;
  months: PlaybookFacts['months'];
  quarters: PlaybookFacts['quarters'];
  revisions: { revision: number; time: string; by: string; why: string; weakened?: string[] }[];
  /** Repositories that could not be read, and why: what they show is unknown. */
  unread: { repository: string; code: string; message: string }[];
}

/** A playbook, and the forms that it is shown in. */
export interface WrittenPlaybook {
  report: PlaybookReport;
  title: string;
  markdown: string;
  html: string;
  text: string;
}

/**
 * The plan as a document, with what the ledger shows beside each promise. It is written also where nothing can be reached: what
 * is shown is unknown then, and `report.unread` says why.
 * @param sha256 of the plan's file, to be held against its newest revision
 */
export async function reportPlaybook(workspace: Workspace, { sha256 }: { sha256: string }): Promise<WrittenPlaybook> {
  const record = await readRecord(workspace, [...SHOWING_KINDS, ...PERIOD_KINDS, 'plan.applied']);
  const playbook = playbookOf(await factsOf(workspace, record, sha256));
  const document = playbookDocument(playbook);
  return {
    report: reportOf(playbook),
    title: document.title,
    markdown: renderMarkdown(document),
    html: renderHtml(document),
    text: renderText(document),
  };
}

async function factsOf(workspace: Workspace, record: PlanRecord, sha256: string): Promise<PlaybookFacts> {
  const { plan, environment } = workspace;
  const nowMs = environment.clock.nowMs();
  const { events } = record;
  const known = [...plan.sources.values()].flatMap((source) => {
    const snapshots = record.sources.get(source.name)?.snapshots;
    return snapshots === undefined ? [] : [{ source, snapshots }];
  });
  const periods = { plan, sources: known, events, nowMs };
  const revisions = revisionsIn(events);
  const newest = revisions.at(-1);
  const showings = new Showings(showingsIn(events));
  return {
    ...{ plan, nowMs, record, showings, revisions },
    months: figuresByPeriod('month', MONTHS, periods),
    quarters: figuresByPeriod('quarter', QUARTERS, periods),
    ...(newest !== undefined && { isApplied: newest.sha256 === sha256 }),
    reviews: reviewsOf({ plan, nowMs, record, showings }),
    steps: await stepsOf(workspace),
  };
}

function reviewsOf({ plan, nowMs, record, showings }: Pick<PlaybookFacts, 'plan' | 'nowMs' | 'record' | 'showings'>) {
  const last = [...plan.reviews.keys()].flatMap((review) => {
    const { good } = showings.of('review', review);
    return good === undefined ? [] : [[review, Date.parse(good.at)] as const];
  });
  const beganMs = Date.parse(record.events[0]?.time ?? '') || nowMs;
  return dueReviews(plan, new Map(last), { beganMs, nowMs });
}

async function stepsOf(workspace: Workspace): Promise<Map<string, Described>> {
  const described = new Map<string, Described>();
  for (const runbook of workspace.plan.runbooks.values()) {
    const state = runOnPaper(runbook);
    for (const step of runbook.steps) {
      described.set(`${runbook.name}.${step.id}`, await describeStep(workspace, state, step));
    }
  }
  return described;
}

function reportOf({ facts, madeAt, promises, missed, neverShown }: Playbook): PlaybookReport {
  const { plan, months, quarters, revisions, record } = facts;
  return {
    ...{ plan: plan.name, madeAt, promises, missed, neverShown, months, quarters },
    revisions: revisions.map(({ revision, time, by, why, weakened }) => ({
      ...{ revision, time, by, why },
      ...(weakened && { weakened }),
    })),
    unread: record.unread.map(({ repository, error: { code, message } }) => ({ repository, code, message })),
  };
}
