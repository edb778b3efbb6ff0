import { EXIT, HoldfastError } from '../../foundation/errors.ts';
import type { CommandDefinition, Invocation } from '../command.ts';
import { LOCKING_EXITS } from '../exit-codes.ts';
import { shownTime } from '../text.ts';

export const serve: CommandDefinition = {
  name: 'serve',
  summary: 'run the plan by itself, until told to stop',
  description:
    'Stays in the foreground and does what the plan has done by itself, when it is due: backups, verifications, copies, retention, prune and checks; what is continuous, and the logs of databases, it follows all the time. What was due while nobody was there is made up for once, and how much was missed is recorded. Each run is recorded when it begins and when it ends, so that one which died is known as such and run again. One daemon alone runs a plan: a second one is refused, and says where the first is. SIGHUP has the plan loaded again: one that is wrong is refused with all that is wrong with it, and the one before still holds. SIGTERM and SIGINT end it in good order within seconds, with exit code 0. Beside it serves the API, with `/metrics` for Prometheus, `/healthz` and `/readyz`, as docs/api.md describes it. Log lines go to standard error.',
  options: [
    { flags: '--no-follow', description: 'leave what is continuous to `holdfast follow`' },
    { flags: '--take-over', description: 'wait until another daemon of this plan ends or is known to be dead' },
    {
      flags: '--listen <address>',
      description: 'HOST:PORT of the API; else HOLDFAST_LISTEN, or 127.0.0.1:8787. Beyond this machine it takes TLS',
    },
    { flags: '--no-listen', description: 'serve no API' },
    { flags: '--tls-cert <file>', description: 'the certificate of the API, in PEM, read again at SIGHUP' },
    { flags: '--tls-key <file>', description: 'its key, in PEM' },
    { flags: '--insecure', description: 'serve the API beyond this machine without TLS: others may read the tokens' },
    {
      flags: '--public-url <url>',
      description: 'where people reach the API, for the links in alerts that acknowledge them',
    },
    {
      flags: '--log-format <format>',
      description: 'of log lines: json, when left out, or text',
      choices: ['json', 'text'],
    },
  ],
  examples: [
    { command: 'holdfast serve', does: 'run the plan of this directory' },
    { command: 'holdfast serve --take-over', does: 'stand by for the daemon on another machine' },
    {
      command: 'holdfast serve --listen 0.0.0.0:8787 --tls-cert cert.pem --tls-key key.pem',
      does: 'serve the API to other machines',
    },
    { command: 'kill -HUP PID', does: 'have it go by the plan as it is now' },
  ],
  exits: LOCKING_EXITS,
  writes: true,
  async run({ environment, loadPlan, options, onHangup, serve: run }) {
    const served = await run({
      environment,
      loadPlan,
      isFollowing: options['follow'] !== false,
      isTakingOver: options['takeOver'] === true,
      onReload: onHangup,
      logFormat: options['logFormat'] === 'text' ? 'text' : 'json',
      ...(options['listen'] !== false && { api: apiOf(options, environment.variables['HOLDFAST_LISTEN']) }),
    });
    const { started, stopped } = served;
    return { exit: EXIT.done, json: served, text: `ran from ${shownTime(started)} to ${shownTime(stopped)}` };
  },
};

function apiOf({ listen, tlsCert, tlsKey, insecure, publicUrl }: Invocation['options'], usual: string | undefined) {
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new HoldfastError('bad-usage', '--tls-cert and --tls-key belong together');
  }
  const address = (listen ?? usual) as string | undefined;
  return {
    ...(address !== undefined && { listen: address }),
    ...(tlsCert !== undefined && { tlsCert: tlsCert as string, tlsKey: tlsKey as string }),
    insecure: insecure === true,
    ...(publicUrl !== undefined && { publicUrl: publicUrl as string }),
  };
}
