import { expect, it } from 'vitest';
import { redactor, secretsOfUrl } from './redaction.ts';

it('secrets are taken out of texts of others as they are, percent-encoded and in base64, the longest first', () => {
  const redact = redactor(['pass word&', 'pass word&more', 'abc']);
  expect(redact('it was pass word& there')).toBe('it was … there');
  expect(redact('GET /?p=pass%20word%26')).toBe('GET /?p=…');
  expect(redact(`Basic ${Buffer.from('pass word&').toString('base64')}`)).toBe('Basic …');
  expect(redact('pass word&more')).toBe('…');
  // As short as a word.
  expect(redact('abc')).toBe('abc');
});

it('what of an address is secret is each part of it behind the host, and who logs in', () => {
  const secrets = secretsOfUrl(new URL('https://some%20user:pass%2Fword@h.example/hooks/T0K%20EN?key=v%26lue#frag'));
  for (const part of ['/hooks/T0K%20EN?key=v%26lue#frag', 'T0K%20EN', 'T0K EN', 'v&lue', 'pass%2Fword', 'pass/word']) {
    expect(secrets).toContain(part);
  }
  expect(secrets.some((secret) => secret.includes('h.example'))).toBe(false);
});
