import type { BlobType } from '../../format/index.ts';
import type { Finding } from '../check/report.ts';

/** What a repair did, or would do. */
export interface RepairReport {
  /** Packs that the index did not know, or described wrongly, and knows now. */
  packsIndexed: string[];
  /** Packs that the index no longer names: they are missing, or damaged. */
  packsDropped: DroppedPack[];
  /** Keys of index files that could not be read, and were removed after their content had been found anew. */
  damagedIndexFiles: string[];
  /** Blobs of damaged packs that could be read, and were stored anew. */
  blobsSalvaged: number;
  /** Blobs that are nowhere any more. */
  blobsLost: LostBlob[];
  snapshots: number;
  /** The errors: what stays lost, by snapshot and path, and key files that may open nothing. Neither is ever altered. */
  findings: Finding[];
}

export interface DroppedPack {
  pack: string;
  reason: string;
  /** Of the blobs that it was known to hold, how many were readable, and how many were not. */
  readable: number;
  unreadable: number;
  /** Where the damaged pack lies now: nothing is deleted. Undefined for a pack that is missing. */
  keptAs?: string;
}

export interface LostBlob {
  id: string;
  type: BlobType;
  pack: string;
}
