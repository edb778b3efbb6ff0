/**
 * Whether the daemon of a container answers: exit code 0, else 1. It asks at the port of HOLDFAST_LISTEN, or 8787, over
 * whichever of HTTP and TLS is spoken there. It goes no further than this machine, so that the certificate need not be
 * one for its name.
 */
import http from 'node:http';
import https from 'node:https';

const port = Number(/\d+$/.exec(process.env.HOLDFAST_LISTEN ?? '')?.[0] ?? 8787);
const where = { host: '127.0.0.1', port, path: '/healthz', timeout: 4000, agent: false, rejectUnauthorized: false };

const answers = (protocol) =>
  new Promise((resolve) => {
    const request = protocol.get(where, (response) => resolve(response.resume().statusCode === 200));
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });

const answered = await Promise.all([answers(http), answers(https)]);
process.exit(answered.includes(true) ? 0 : 1);
