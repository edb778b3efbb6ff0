import type { Progress } from '../foundation/progress.ts';
import type { Target } from '../foundation/target.ts';

/**
 * An isolated place where a restore can do no harm.
 *
 * What it makes is removed by `close`, and also when the process dies without calling it.
 */
export interface Sandbox {
  /**
   * A fresh, empty target of this kind.
   * @throws not-provable when what is needed is not on this machine (for PostgreSQL: server programs of the major
   *   version, or a newer one for a logical restore); sandbox-failed when it could not be made.
   */
  open(need: SandboxNeed, progress: Progress): Promise<SandboxTarget>;
}

export type SandboxNeed =
  | { kind: 'directory' }
  | {
      kind: 'postgres';
      /** Major version of the server that was captured. A logical restore takes this or the next newer one here. */
      majorVersion: number;
      /** Whether a newer major version serves as well. */
      newerServes: boolean;
      /** The captured database's encoding and locale. Where this machine has no such locale, C.UTF-8 stands in. */
      encoding: string;
      collate: string;
      ctype: string;
    }
  | {
      /** A server for a data directory that is going to be restored: `serve` starts it. */
      kind: 'postgres-data';
      /** Of the server that was captured: no other serves. */
      majorVersion: number;
      /** A role of the cluster that may do everything, and the database to look at. */
      superuser: string;
      database: string;
      /** Settings without which the cluster does not start. */
      settings: Readonly<Record<string, string>>;
    };

export interface SandboxTarget {
  target: Target;
  /** What a person should know of this place: the version, a locale that another stood in for. */
  notes: string[];
  /**
   * Of `postgres-data`: starts a server on what was restored to the target, waits until it has recovered, and gives the
   * database. The server has a configuration of its own: nothing of the restored one, which might reach the living.
   * @throws not-provable where the cluster needs what this machine has not; target-failed when what was restored does not start; sandbox-failed
   */
  serve?(): Promise<Extract<Target, { kind: 'database' }>>;
  close(): Promise<void>;
}
