/** Work that Google does by itself for a while: an export, an import. */
import { HoldfastError, messageOf } from '../../../foundation/errors.ts';
import type { Progress } from '../../../foundation/progress.ts';
import { CODE, codeOf, type Side } from '../failures.ts';
import { isTransient } from '../restore/transient.ts';

/** What the client gives for it. */
export interface LongOperation {
  promise(): Promise<unknown[]>;
  cancel(): Promise<unknown>;
  on(event: 'progress', listener: (metadata: OperationMetadata) => void): unknown;
  removeAllListeners(event: 'complete'): unknown;
}

export interface OperationMetadata {
  /** Whole numbers of 64 bits, as the client has them. */
  progressDocuments?: { completedWork?: unknown } | null;
  progressBytes?: { completedWork?: unknown } | null;
}

/**
 * Waits for the end, however long that takes. When the signal says so it is called off; where even that fails, Google goes on
 * with it by itself, and what it makes belongs to nobody.
 * @returns what is known of it at its end
 * @throws what the client throws; the signal's reason
 */
export async function finished(
  operation: LongOperation,
  { progress, signal }: { progress: Progress; signal: AbortSignal },
): Promise<OperationMetadata> {
  let told = 0;
  operation.on('progress', (metadata) => {
    const documents = workOf(metadata.progressDocuments) ?? 0;
    progress.advance({ items: Math.max(0, documents - told) });
    told = Math.max(told, documents);
  });
  const interrupted = Promise.withResolvers<never>();
  const interrupt = (): void => interrupted.reject(signal.reason);
  signal.addEventListener('abort', interrupt, { once: true });
  try {
    signal.throwIfAborted();
    const [, metadata] = await Promise.race([operation.promise(), interrupted.promise]);
    return (metadata ?? {}) as OperationMetadata;
  } catch (error) {
    if (signal.aborted) {
      operation.removeAllListeners('complete');
      await Promise.allSettled([operation.cancel()]);
    }
    throw error;
  } finally {
    signal.removeEventListener('abort', interrupt);
  }
}

/** Undefined where nothing is known of it. */
export function workOf(progress: { completedWork?: unknown } | null | undefined): number | undefined {
  const { completedWork } = progress ?? {};
  return completedWork === undefined || completedWork === null ? undefined : Number(String(completedWork));
}

/** @param what as it follows "Firestore does not": `export to gs://…` */
export function operationFailure(
  error: unknown,
  { what, side, signal }: { what: string; side: Side; signal: AbortSignal },
): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof HoldfastError) return error;
  const code = codeOf(error);
  const context = { code, reason: messageOf(error) };
  const message = `Firestore does not ${what}: ${messageOf(error)}`;
  if (side === 'target' && code === CODE.notFound) {
    return new HoldfastError('object-missing', message, {
      hint: 'See whether both are still there, the export in its bucket and the database; a rule of the bucket may have removed the export.',
      ...{ context, cause: error },
    });
  }
  const transient = isTransient(code);
  const kind = side === 'target' ? 'target-failed' : transient ? 'source-unreachable' : 'source-refused';
  return new HoldfastError(kind, message, {
    hint: "The credentials need `roles/datastore.importExportAdmin`, and Firestore's own service agent of the project must be able to use the bucket.",
    ...{ retryable: transient, context, cause: error },
  });
}
