/** Steps on servers, done on their copies. */
import type { StepDocument } from '../../plan/index.ts';
import type { ServerCopy } from '../../sandbox/index.ts';
import type { Question, StepContext, StepKind, StepResult } from '../step.ts';
import type { SourceServers } from './drill-servers.ts';

/** What has happened in the scenario. */
export async function faultsOnCopies(
  { kill, cutOff }: { kill: readonly SourceServers[]; cutOff: readonly SourceServers[] },
  summary: string,
): Promise<StepResult> {
  for (const servers of kill) await servers.kill(servers.primary);
  for (const servers of cutOff) await servers.cutOff(servers.primary);
  return { outcome: 'done', summary: `${summary}: copies alone`, outputs: {} };
}

/**
 * Runs a step with the addresses of copies in place of those of what lives. What persons are asked in its middle is said, and
 * taken for agreed.
 */
export async function runOnCopies(context: StepContext, real: StepKind, servers: SourceServers): Promise<StepResult> {
  const { step, becomes, after } = await prepared(context.step, servers);
  const questions: string[] = [];
  const ask = async ({ question }: Question) => {
    questions.push(question);
    return [{ by: 'drill' }];
  };
  const result = await real.run({ ...context, step, ask } as StepContext);
  await after?.();
  if (becomes !== undefined) servers.primary = becomes;
  const asked = questions.map((question) => `; in an incident somebody is asked: ${question}`).join('');
  return { ...result, ...outcomeOf(result, servers), summary: `on copies: ${result.summary}${asked}` };
}

interface Prepared {
  step: StepDocument;
  /** Takes the writes once the step is done. */
  becomes?: ServerCopy;
  after?(): Promise<void>;
}

async function prepared(step: StepDocument, servers: SourceServers): Promise<Prepared> {
  const { copies, primary } = servers;
  switch (step.do) {
    case 'postgres.fence':
      return { step: { ...step, url: (servers.named(step.url) ?? primary).url } };
    case 'isolate':
      return { step: { ...step, url: (servers.named(step.url) ?? primary).url } };
    case 'compare':
      return { step: { ...step, with: primary.url } };
    case 'postgres.promote': {
      const becomes = servers.named(step.url) ?? copies.followers.get(step.standby)!;
      return { step: { ...step, url: becomes.url }, becomes };
    }
    case 'redis.promote': {
      const becomes = servers.named(step.url) ?? servers.otherThan(primary);
      if (servers.isLost(becomes)) await servers.bringBack(becomes);
      return { step: { ...step, url: becomes.url }, becomes };
    }
    case 'postgres.reseed': {
      const from = servers.named(step.from) ?? primary;
      const old = servers.otherThan(from);
      // It must be stopped, and starts again with what it got: in an incident persons do both.
      await servers.kill(old);
      const reseeding = { ...step, from: from.url, directory: old.directory };
      return { step: reseeding, after: () => servers.bringBack(old) };
    }
    case 'redis.reseed': {
      const from = servers.named(step.from) ?? primary;
      const named = servers.named(step.url);
      const old = named === undefined || named === from ? servers.otherThan(from) : named;
      await servers.bringBack(old);
      return { step: { ...step, from: from.url, url: old.url } };
    }
    default:
      return { step };
  }
}

/** What was killed on purpose cannot be fenced, and is not to be: that is what the scenario is about. */
function outcomeOf({ outcome, outputs }: StepResult, servers: SourceServers): Pick<StepResult, 'outcome'> {
  const isMeant = outputs['pending'] === true && servers.all.some((each) => servers.isLost(each));
  return { outcome: outcome === 'partial' && isMeant ? 'done' : outcome };
}
