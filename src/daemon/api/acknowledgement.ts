import type { Context } from 'hono';
import { html } from 'hono/html';
import { isHoldfastError } from '../../foundation/errors.ts';
import {
  acknowledgeAlert,
  checkAcknowledgement,
  type ListedAlert,
  listAlerts,
  type Workspace,
} from '../../operations/index.ts';
import type { ApiApplication } from './api.ts';
import type { ApiContext } from './context.ts';
import type { Served } from './served.ts';

const LONGEST_NAME = 100;

/**
 * `/acknowledge/ALERT`, where signed links lead. GET shows the alert and a button: programs that look at mails follow links,
 * and nobody else must be kept asleep by that. Only what the page posts acknowledges.
 */
export function addAcknowledgement(application: ApiApplication, { daemon, record }: ApiContext): void {
  const judge = (c: Context<Served>) =>
    checkAcknowledgement(daemon.workspace(), {
      alert: c.req.param('alert') ?? '',
      expires: c.req.query('expires') ?? '',
      signature: c.req.query('signature') ?? '',
    });
  application.get('/acknowledge/:alert', async (c) => {
    const verdict = await judge(c);
    if (verdict !== 'valid') return refused(c, verdict);
    const alert = await alertOf(daemon.workspace(), c.req.param('alert'));
    if (alert === undefined) return c.html(page('There is no such alert', html``), 404);
    if ('unread' in alert) return c.html(page('Do you see to this alert?', askedOf(html`<p>${alert.unread}</p>`)));
    const { severity, rule, subject, message, since, state, acknowledgedBy } = alert;
    const about = html`<p>${severity} ${rule} ${subject}, since ${since}</p><p>${message}</p>`;
    if (state !== 'open') {
      const by = acknowledgedBy === undefined ? '' : ` by ${acknowledgedBy}`;
      return c.html(page(`This alert is ${state}${by}`, about));
    }
    return c.html(page('Do you see to this alert?', askedOf(about)));
  });
  application.post('/acknowledge/:alert', async (c) => {
    const verdict = await judge(c);
    if (verdict !== 'valid') return refused(c, verdict);
    const name = new URLSearchParams(await c.req.text()).get('by')?.trim().slice(0, LONGEST_NAME) ?? '';
    const by = `${name === '' ? 'somebody' : name}, by link`;
    const { isNew, alert } = await acknowledgeAlert(daemon.workspace(), { alert: c.req.param('alert'), by });
    await record('api.called', { method: 'POST', path: c.req.path, status: 200 });
    return c.html(page(isNew ? 'You see to this alert' : `${alert?.acknowledgedBy} sees to it already`, html``));
  });
}

/** What a link is about; why that cannot be read, while no ledger can be; undefined where there is no such alert. */
async function alertOf(workspace: Workspace, id: string): Promise<ListedAlert | { unread: string } | undefined> {
  const unread = { unread: 'What it says cannot be read now: the repository is away. You can see to it all the same.' };
  try {
    const listed = await listAlerts(workspace, { all: true });
    return listed.alerts.find((alert) => alert.id === id) ?? (listed.unread.length > 0 ? unread : undefined);
  } catch (error) {
    if (isHoldfastError(error) && error.retryable) return unread;
    throw error;
  }
}

function askedOf(about: ReturnType<typeof html>) {
  return html`${about}<form method="post">
    <p><label>Your name <input name="by" maxlength="${LONGEST_NAME}" required /></label></p>
    <p><button type="submit">I see to it</button></p>
  </form>`;
}

function refused(c: Context<Served>, verdict: 'expired' | 'forged'): Response | Promise<Response> {
  const title = verdict === 'expired' ? 'This link is too old' : 'This link is none of ours';
  return c.html(page(title, html`<p>Use <code>holdfast alert ack</code>.</p>`), 403);
}

function page(title: string, content: ReturnType<typeof html>) {
  return html`<!doctype html><html lang="en"><head><meta name="viewport" content="width=device-width" /><title>${title}</title></head>
    <body><h1>${title}</h1>${content}</body></html>`;
}
