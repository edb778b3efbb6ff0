import { DEFAULT_DATABASE, type FirestoreDatabase } from '../../../foundation/firestore-database.ts';

/** Answers a GET request to Google with parsed JSON; throws an error with `status` where that was not 200. */
export type Request = (url: string) => Promise<{ data: unknown }>;

const RULES_URL = 'https://firebaserules.googleapis.com/v1';

/**
 * The rules that are released for a database, as they were written; undefined where none were.
 * @throws what `request` throws, but for the answer that there are none
 */
export async function readRules(
  request: Request,
  { project, database }: FirestoreDatabase,
  url = RULES_URL,
): Promise<string | undefined> {
  const release = database === DEFAULT_DATABASE ? 'cloud.firestore' : `cloud.firestore/${database}`;
  const released = await unlessMissing(() => request(`${url}/projects/${project}/releases/${release}`));
  const name = (released?.data as { rulesetName?: unknown } | undefined)?.rulesetName;
  if (typeof name !== 'string') return undefined;
  const { data } = await request(`${url}/${name}`);
  const files = (data as { source?: { files?: { content?: unknown }[] } }).source?.files ?? [];
  const contents = files.map(({ content }) => String(content ?? ''));
  return contents.length === 0 ? undefined : contents.join('\n');
}

async function unlessMissing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const { status, response } = error as { status?: unknown; response?: { status?: unknown } };
    if (status === 404 || response?.status === 404) return undefined;
    throw error;
  }
}
