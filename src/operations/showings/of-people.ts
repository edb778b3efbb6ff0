import type { ShowsByKind } from './showing.ts';

/** Reviews, reports, alerts and who was told. */
export const OF_PEOPLE: ShowsByKind = {
  'review.recorded': ({ review, attended, note }, { runbooks }) => {
    const words = `${attended.join(', ')}${note === undefined ? '' : `: ${note}`}`;
    const runbook = runbooks.get(review.replace(/^(?:incident|drill)-/, ''));
    if (runbook !== undefined) return { what: 'meeting', subject: runbook, result: 'done', words };
    return { what: 'review', subject: review, result: 'done', words };
  },
  'report.delivered': ({ report, channel, outcome, message }) => {
    const [subject = ''] = report.split(' ');
    const result = outcome === 'delivered' ? 'done' : 'failed';
    return [
      { what: 'report', subject, result, words: channel },
      { what: 'channel', subject: channel, result, words: message ?? 'a report' },
    ];
  },
  'alert.notified': ({ channel, outcome, message }) => {
    const result = outcome === 'delivered' ? 'done' : 'failed';
    return { what: 'channel', subject: channel, result, words: message ?? 'an alert' };
  },
  'alert.raised': ({ rule, subject }) => ({ what: 'alert', subject: rule, result: 'done', words: subject }),
};
