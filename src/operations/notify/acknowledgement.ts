/** Links by which whoever gets an alert says that they see to it: each for one alert, for some time, and signed. Pure. */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { Repository } from '../../repository/index.ts';

const KEY_BYTES = 32;
const FORM = /^[A-Za-z0-9_-]{43}$/;

/**
 * What links are signed with: derived from the key of a repository, so that there is nothing else to keep, and a link holds
 * across restarts and from one machine to another. Nobody comes from it to the repository's key.
 */
export function acknowledgementKey({ key: { encrypt, macK, macR } }: Pick<Repository, 'key'>): Buffer {
  const secret = Buffer.concat([encrypt, macK, macR]);
  return Buffer.from(hkdfSync('sha256', secret, '', 'holdfast acknowledgement 1', KEY_BYTES));
}

/** What a link has behind its `?`. */
export interface SignedAcknowledgement {
  alert: string;
  /** Milliseconds since 1970. */
  expires: string;
  signature: string;
}

/**
 * The link to `BASE/acknowledge/ALERT`. Programs that look at mails follow links, so that what is behind it asks before it
 * acknowledges: GET shows a page, and only what that page posts counts.
 * @param base where the API is reached, with or without a slash at its end
 */
export function acknowledgeUrl(base: string, alert: string, key: Uint8Array, expiresMs: number): string {
  const expires = String(Math.floor(expiresMs));
  const query = new URLSearchParams({ expires, signature: sign(key, alert, expires).toString('base64url') });
  return `${base.replace(/\/+$/, '')}/acknowledge/${encodeURIComponent(alert)}?${query.toString()}`;
}

/** Whether a link is one of ours for this alert, and its time has not passed. What was altered is `forged`, whatever else. */
export function verifyAcknowledgement(
  { alert, expires, signature }: SignedAcknowledgement,
  key: Uint8Array,
  nowMs: number,
): 'valid' | 'expired' | 'forged' {
  if (!FORM.test(signature)) return 'forged';
  if (!timingSafeEqual(Buffer.from(signature, 'base64url'), sign(key, alert, expires))) return 'forged';
  // Only we sign, and only numbers.
  return nowMs < Number(expires) ? 'valid' : 'expired';
}

function sign(key: Uint8Array, alert: string, expires: string): Buffer {
  return createHmac('sha256', key)
    .update(JSON.stringify(['acknowledge', alert, expires]))
    .digest();
}
