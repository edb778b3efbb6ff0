/** Indexes and rules, as files that Firebase's own tools deploy. */
import type { TreeNode } from '../../../format/index.ts';
import { messageOf } from '../../../foundation/errors.ts';
import type { FirestoreDatabase } from '../../../foundation/firestore-database.ts';
import type { SnapshotWriter } from '../../../repository/index.ts';
import { INDEXES_FILE, RULES_FILE } from '../codec/layout.ts';
import { databaseName } from '../codec/names.ts';
import type { FirestoreEndpoint, openFirestoreAdmin } from '../connection.ts';
import { readIndexes } from './indexes.ts';
import { readRules } from './rules.ts';

type Admin = ReturnType<typeof openFirestoreAdmin>;

const FILE_MODE = 0o600;

export interface CapturedConfiguration {
  /** Under `/data`. */
  nodes: TreeNode[];
  /** For the manifest. */
  details: {
    /** How many there are of each; absent where they could not be read. */
    indexes?: number;
    fieldOverrides?: number;
    hasRules: boolean;
    /** What could not be read, and why. */
    notes: string[];
  };
}

/**
 * What cannot be read is noted: documents are worth keeping without it.
 * @throws the signal's reason
 */
export async function captureConfiguration(
  admin: Admin,
  { database, endpoint }: { database: FirestoreDatabase; endpoint: FirestoreEndpoint },
  writer: SnapshotWriter,
  { signal }: { signal: AbortSignal },
): Promise<CapturedConfiguration> {
  const nodes: TreeNode[] = [];
  const details: CapturedConfiguration['details'] = { hasRules: false, notes: [] };
  try {
    const indexes = await readIndexes(admin, databaseName(database.project, database.database));
    nodes.push(await store(writer, INDEXES_FILE, `${JSON.stringify(indexes, null, 2)}\n`));
    details.indexes = indexes.indexes.length;
    details.fieldOverrides = indexes.fieldOverrides.length;
  } catch (error) {
    signal.throwIfAborted();
    details.notes.push(`indexes are not in this backup: ${messageOf(error)}`);
  }
  if (endpoint.emulator !== undefined) return { nodes, details };
  try {
    const rules = await readRules((url) => admin.client.auth.request({ url }), database);
    if (rules !== undefined) nodes.push(await store(writer, RULES_FILE, rules));
    details.hasRules = rules !== undefined;
  } catch (error) {
    signal.throwIfAborted();
    details.notes.push(`rules are not in this backup: ${messageOf(error)}`);
  }
  return { nodes, details };
}

async function store(writer: SnapshotWriter, name: string, text: string): Promise<TreeNode> {
  const stream = await writer.openFile();
  await stream.write(Buffer.from(text));
  const { content, sizeBytes } = await stream.end();
  return { name, type: 'file', mode: FILE_MODE, size: sizeBytes, content };
}
