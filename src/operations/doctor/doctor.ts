import { isHoldfastError } from '../../foundation/errors.ts';
import type { Source as PlanSource } from '../../plan/index.ts';
import { longestGapMs } from '../../schedule/index.ts';
import { type Finding, findingOfError } from '../../source/index.ts';
import type { Workspace } from '../workspace.ts';
import { type ChannelDiagnosis, examineChannels } from './examine-channels.ts';
import { examineMirror } from './examine-mirror.ts';
import { examineRepository } from './examine-repository.ts';

export interface Diagnosis {
  /** Those that the sources are kept in, the archives of these sources, and the mirrors of all these. */
  repositories: { repository: string; findings: Finding[] }[];
  sources: { source: string; type: PlanSource['type']; findings: Finding[] }[];
  /** Those of the plan, where no source is named or a test was asked for. */
  channels: ChannelDiagnosis[];
  /** How many findings there are of these levels. */
  missing: number;
  warnings: number;
}

/**
 * Says what is missing for backups of these sources, or of all, of their repositories and the mirrors of these, and for
 * alerts. Nothing is changed; a lock lies in each repository for a moment, and a small object in each mirror.
 * @param options.sendTest whether a test is sent to each channel
 */
export async function diagnose(
  workspace: Workspace,
  names: readonly string[],
  { sendTest = false }: { sendTest?: boolean } = {},
): Promise<Diagnosis> {
  const planned = workspace.sources(names);
  const archives = [...workspace.plan.repositories.values()].filter(({ archive }) =>
    planned.some(({ name }) => archive?.sources.includes(name)),
  );
  const repositories = [
    ...new Set([...planned.map(({ repository }) => repository), ...archives.map(({ name }) => name)]),
  ];
  const mirrors = repositories.flatMap((name) => workspace.mirrorsOf(name));
  const examined = async (repository: string, findings: Promise<Finding[]>) => ({
    repository,
    findings: await findings,
  });
  const [ofRepositories, ofSources, channels] = await Promise.all([
    Promise.all([
      ...repositories.map((name) => examined(name, examineRepository(workspace, name))),
      ...mirrors.map((name) => examined(name, examineMirror(workspace, name))),
    ]),
    Promise.all(
      planned.map(async (source) => ({
        source: source.name,
        type: source.type,
        findings: await examineSource(workspace, source),
      })),
    ),
    names.length === 0 || sendTest ? examineChannels(workspace, { sendTest }) : [],
  ]);
  const findings = [...ofRepositories, ...ofSources, ...channels].flatMap((each) => each.findings);
  const countOf = (wanted: Finding['level']): number => findings.filter(({ level }) => level === wanted).length;
  return {
    repositories: ofRepositories,
    sources: ofSources,
    channels,
    missing: countOf('missing'),
    warnings: countOf('warning'),
  };
}

async function examineSource(workspace: Workspace, planned: PlanSource): Promise<Finding[]> {
  const { signal } = workspace.environment;
  const { schedule } = planned;
  try {
    const source = await workspace.createSource(planned, () => movedIfKnown(workspace, planned));
    const gapMs = schedule === undefined ? undefined : longestGapMs(schedule, workspace.plan.timezone);
    return await source.examine({ signal, longestGapMs: gapMs });
  } catch (error) {
    signal.throwIfAborted();
    // What the plan refers to could not be fetched, say.
    if (isHoldfastError(error)) return [findingOfError('source', error)];
    throw error;
  }
}

/** While its ledger cannot be read, which is a finding of the repository, a source is looked for where the plan has it. */
async function movedIfKnown(workspace: Workspace, planned: PlanSource): Promise<string | undefined> {
  try {
    return await workspace.movedUrl(planned);
  } catch (error) {
    workspace.environment.signal.throwIfAborted();
    if (isHoldfastError(error)) return undefined;
    throw error;
  }
}
