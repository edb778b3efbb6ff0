import { createHash, randomBytes } from 'node:crypto';

/** So that whoever finds one in a file, and what looks for leaked ones, know what it is. */
const PREFIX = 'holdfast_';
const SECRET_BYTES = 32;
const FORM = /^holdfast_[A-Za-z0-9_-]{43}$/;

export function newSecret(): string {
  return `${PREFIX}${randomBytes(SECRET_BYTES).toString('base64url')}`;
}

/** Whether it could be a token at all: what could not is not looked for. */
export function isSecretForm(text: string): boolean {
  return FORM.test(text);
}

/**
 * What is kept of a token. One pass of SHA-256 is right for 256 random bits, which nobody can guess again from it; what
 * makes a guess expensive is for passwords that people choose.
 */
export function hashOfSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest();
}
