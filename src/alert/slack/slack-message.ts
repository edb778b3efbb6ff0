/** Messages as Slack takes them: blocks, and a text where there is no room for blocks. Pure. */
import type { Alert } from '../alert.ts';
import type { AlertMessage, Message } from '../channel.ts';
import { cut, type Fact, factsOf, newsOf, onOneLine, subjectOf, titleOf } from '../wording.ts';

/** Slack's own limits, in characters and blocks. */
const HEADER_LIMIT = 150;
const SECTION_LIMIT = 3000;
const TEXT_LIMIT = 4000;
/** Of one section, for parts of it. */
const TITLE_LIMIT = 300;
const FACT_LIMIT = 250;
const TAIL_LIMIT = 2400;
const MOST_BLOCKS = 50;
/** An alert is one block; what else a message has fits beside them. */
const MOST_ALERTS = 40;
const FENCE = '```';

interface Markdown {
  type: 'mrkdwn';
  text: string;
}

type Block =
  | { type: 'header'; text: { type: 'plain_text'; text: string } }
  | { type: 'section'; text: Markdown }
  | { type: 'context'; elements: Markdown[] };

export interface SlackMessage {
  text: string;
  blocks: Block[];
}

export function slackMessageOf(message: Message): SlackMessage {
  switch (message.kind) {
    case 'test':
      return { text: escapedWithin(message.text, TEXT_LIMIT), blocks: [section(escapedWithin(message.text))] };
    case 'report':
      return {
        text: escapedWithin(message.title, TEXT_LIMIT),
        blocks: [header(message.title), ...preformatted(message.text)],
      };
    default:
      return alertMessage(message);
  }
}

function alertMessage(message: AlertMessage): SlackMessage {
  const { alerts, plan, reason } = message;
  const shown = alerts.slice(0, MOST_ALERTS);
  const title = `${newsOf(message)}: ${subjectOf(message)}`;
  const rest = alerts.length - shown.length;
  const more = rest === 0 ? [] : [context(`and ${rest} more: \`holdfast alert list\` shows all`)];
  const blocks = [header(title), ...shown.map((alert) => section(alertText(alert, message))), ...more];
  const text = alerts.length === 1 ? `${title}: ${alerts[0]!.message}` : title;
  return {
    text: escapedWithin(text, TEXT_LIMIT),
    blocks: [...blocks, context(escapedWithin(`Plan ${plan}; sent for: ${reason}`))],
  };
}

/** What happened is cut where it is long; what to do stays whole. */
function alertText(alert: Alert, message: AlertMessage): string {
  const title = `*${escapedWithin(titleOf(alert), TITLE_LIMIT)}*`;
  const facts = factsOf(alert, message).map(factText);
  const tail = facts.filter((_, index) => facts.slice(0, index + 1).join('\n').length <= TAIL_LIMIT).join('\n');
  const room = SECTION_LIMIT - tail.length - title.length - 2;
  return `${title}\n${escapedWithin(alert.message, room)}\n${tail}`;
}

function factText({ label, value, url }: Fact): string {
  if (url !== undefined) return `<${linkable(url)}|${label}>`;
  const shown = escapedWithin(onOneLine(value), FACT_LIMIT);
  const isCommand = label === 'Do' || label === 'Runbooks' || label === 'Acknowledge';
  return isCommand ? `*${label}*: \`${shown.replaceAll('`', 'ˋ')}\`` : `*${label}*: ${shown}`;
}

/** A long text in as many sections as it takes, parted between lines, each in a fence. */
function preformatted(text: string): Block[] {
  const room = SECTION_LIMIT - 2 * FENCE.length - 2;
  const pieces: string[] = [''];
  for (const line of text.replaceAll(FENCE, "'''").split('\n')) {
    const escaped = escapedWithin(line, room);
    const last = pieces.at(-1)!;
    const joined = last === '' ? escaped : `${last}\n${escaped}`;
    if (joined.length <= room) pieces[pieces.length - 1] = joined;
    else pieces.push(escaped);
  }
  const most = MOST_BLOCKS - 2;
  const shown = pieces.slice(0, most).map((piece) => section(`${FENCE}\n${piece}\n${FENCE}`));
  return pieces.length > most ? [...shown, context('The rest does not fit: `holdfast report` shows all.')] : shown;
}

function header(text: string): Block {
  return { type: 'header', text: { type: 'plain_text', text: cut(onOneLine(text), HEADER_LIMIT) } };
}

function section(text: string): Block {
  return { type: 'section', text: { type: 'mrkdwn', text } };
}

function context(text: string): Block {
  return { type: 'context', elements: [{ type: 'mrkdwn', text }] };
}

/** No text becomes a mention or a link: these three characters begin and end them. No entity is cut in two. */
function escapedWithin(text: string, most: number = SECTION_LIMIT): string {
  const whole = escapeText(text);
  if (whole.length <= most) return whole;
  let kept = '';
  for (const character of text) {
    const escaped = escapeText(character);
    if (kept.length + escaped.length >= most) break;
    kept += escaped;
  }
  return `${kept}…`;
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** In a link `|` and `>` would end the address. */
function linkable(url: string): string {
  return escapeText(url.replaceAll('|', '%7C').replaceAll('>', '%3E').replaceAll('<', '%3C'));
}
