import { expect, it } from 'vitest';
import { HoldfastError } from '../../foundation/errors.ts';
import type { Session } from './session.ts';
import { outlastSilent } from './silent-connections.ts';

const { signal } = new AbortController();

/** A server that shows this of who is connected, look by look. */
function serverThatShows(looks: readonly (readonly string[] | HoldfastError)[]): Session {
  let at = 0;
  const query = async () => {
    const shown = looks[Math.min(at++, looks.length - 1)]!;
    if (shown instanceof HoldfastError) throw shown;
    return shown.map((pid) => ({ pid, is_own: String(pid === 'own') }));
  };
  return { query, one: async () => ({ setting: '60' }) } as unknown as Session;
}

const refused = new HoldfastError('source-refused', 'permission denied', { context: { sqlState: '42501' } });

it.each([
  ['nobody is silent', [['own']], 0, 0],
  ['one ends while it is looked at', [refused, ['own']], 0, 0],
  ['the server shows nothing of its processes', [refused], 60_000, 0],
  ['what it shows has not even this session', [[]], 60_000, 0],
  [
    'those who had connected have spoken, whoever is silent since',
    [
      ['own', '1', '2'],
      ['own', '2', '3'],
      ['own', '3'],
    ],
    0,
    2,
  ],
  ['it does not show any more who is silent', [['own', '1'], refused], 60_000, 1],
])('where %s', async (_, looks, mayComeMs, ends) => {
  let ended = 0;
  const end = async () => void ended++;
  expect([await outlastSilent(serverThatShows(looks), end, signal), ended]).toEqual([mayComeMs, ends]);
});

it('takes a connection that is lost for no answer', async () => {
  const lost = new HoldfastError('source-lost', 'the connection was lost');
  await expect(outlastSilent(serverThatShows([lost]), async () => {}, signal)).rejects.toBe(lost);
});
