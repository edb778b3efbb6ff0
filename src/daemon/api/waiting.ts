import { Hono } from 'hono';
import type { ApiApplication } from './api.ts';
import { refuse } from './errors.ts';

/** What answers requests: the API, or what stands in for it. */
export type Answers = Pick<ApiApplication, 'fetch'>;

/**
 * What is answered before the daemon runs the plan, while its repository is away or another daemon has the plan: that the
 * process is there, and not ready. Nothing of it needs the repository, in which the tokens lie.
 */
export function waitingAnswers({ version, isLocal }: { version: string; isLocal: boolean }): Answers {
  const application = new Hono();
  application.get('/healthz', (c) => c.json({ alive: true }));
  application.get('/readyz', (c) => c.json({ ready: false, lease: false, repository: false }, 503));
  // As of the API, metrics take a token where others reach them: none can be told from another one yet.
  if (isLocal) application.get('/metrics', (c) => c.text(`holdfast_up{version="${version}"} 1\nholdfast_ready 0\n`));
  application.notFound((c) => {
    c.header('Retry-After', '10');
    return refuse(c, 'waiting', 'the daemon waits for its repository, or for the end of another daemon', WAITING_HINT);
  });
  return application as unknown as Answers;
}

const WAITING_HINT = 'Its log says for which. `/healthz` and `/readyz` are answered meanwhile.';
