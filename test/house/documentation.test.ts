import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { parse, stringify } from 'yaml';
import type { CommandDefinition } from '../../src/cli/command.ts';
import { allCommands } from '../../src/cli/registry.ts';
import { parsePlan, RULE_NAMES } from '../../src/plan/index.ts';
import { STEP_KINDS } from '../../src/plan/runbooks/steps/index.ts';
import { holdfast, scratchDirectory } from '../support/cli.ts';
import { projectRoot } from './fixture-tree.ts';

interface Passage {
  /** `docs/files.md:5` */
  place: string;
  text: string;
}

const PAGES = ['README.md', ...globSync('docs/*.md', { cwd: projectRoot }).sort()].map((page) => ({
  page,
  text: readFileSync(join(projectRoot, page), 'utf8'),
}));

/** What stands between fences, of one language. */
function blocks(language: string): Passage[] {
  return PAGES.flatMap(({ page, text }) =>
    [...text.matchAll(/^ *```(\w*)\n(.*?)^ *```$/gms)]
      .filter(([, named]) => named === language)
      .map(({ index, 2: content = '' }) => ({
        place: `${page}:${text.slice(0, index).split('\n').length}`,
        text: content,
      })),
  );
}

/** What parts of plans refer to. */
const FRAME = `
version: 1
name: omni
objectives: { rpo: 26h, rto: 4h }
repositories:
  primary: { store: /var/backups/holdfast, password: { env: HOLDFAST_PASSWORD } }
sources:
  omni-db: { type: postgres, method: physical, url: { env: DATABASE_URL }, repository: primary, schedule: hourly }
  sessions: { type: redis, url: { env: REDIS_URL }, repository: primary, schedule: hourly }
  uploads: { type: files, paths: [/srv/uploads], repository: primary, schedule: hourly }
  crm: { type: firestore, project: omniflow, repository: primary, schedule: hourly }
maintenance:
  on: { http: { url: https://app.example/maintenance, method: PUT } }
  off: { http: { url: https://app.example/maintenance, method: DELETE } }
contacts:
  oncall: { role: On-call engineer }
  lead: { role: DevOps lead }
alerts:
  channels:
    office: { type: webhook, url: https://office.example/holdfast }
    lead-mail: { type: email, to: [lead@example.com], smtp: { env: SMTP_URL } }
runbooks:
  region-failure:
    scenario: Complete region failure
    steps: [{ id: back, do: restore, source: omni-db, to: /srv/back }]
`;

type Tree = { [key: string]: unknown };

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Key by key down to those of each source, repository and so on, whose values are taken as they are. */
function laidOver(below: unknown, above: unknown, levels = 3): unknown {
  if (levels === 0 || !isTree(below) || !isTree(above)) return above;
  const entries = Object.entries(above).map(([key, value]) => [key, laidOver(below[key], value, levels - 1)]);
  return { ...below, ...Object.fromEntries(entries) };
}

describe('each part of a plan that a page shows', () => {
  it.each(blocks('yaml'))('is one that a plan can have: $place', ({ place, text }) => {
    const plan = stringify(laidOver(parse(FRAME), parse(text)));
    expect(() => parsePlan(plan, { file: place, directory: '/' })).not.toThrow();
  });
});

/** The words of the first command of a line, without its quotes. */
function wordsOf(line: string): string[] {
  const [first = ''] = line.split(/\s[#|>&]|;/);
  return [...first.matchAll(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g)].map(([word]) => word.replaceAll(/["']/g, ''));
}

function commandLines(): Passage[] {
  const fenced = [...blocks('sh'), ...blocks('')].flatMap(({ place, text }) =>
    [...text.replaceAll(/\\\n\s*/g, '').matchAll(/^ *(?:bin\/)?(holdfast .*)$/gm)].map(([, line = '']) => ({
      place,
      text: line,
    })),
  );
  const inline = PAGES.flatMap(({ page, text }) =>
    [...text.matchAll(/`(?:bin\/)?(holdfast [^`\n]+)`/g)].map(([, line = '']) => ({ place: page, text: line })),
  );
  return [...fenced, ...inline];
}

describe('each command line', () => {
  let commands: CommandDefinition[];
  beforeAll(async () => {
    commands = await allCommands();
    for (const command of commands) vi.spyOn(command, 'run').mockResolvedValue({ exit: 0, json: {}, text: '' });
    return () => vi.restoreAllMocks();
  });

  async function refused(lines: readonly Passage[]): Promise<string[]> {
    const directory = scratchDirectory();
    const found: string[] = [];
    for (const { place, text } of lines) {
      const { exit, stderr } = await holdfast(directory, wordsOf(text).slice(1));
      if (exit !== 0) found.push(`${place}: ${text}: ${stderr}`);
    }
    return found;
  }

  it('on a page is one that the program takes', async () => {
    expect(await refused(commandLines())).toEqual([]);
  });

  it('among the examples of a help is one that the program takes', async () => {
    const examples = commands.flatMap(({ name, examples: all }) =>
      all.map(({ command }) => ({ place: `holdfast ${name} --help`, text: command })),
    );
    // As `kill -HUP PID`.
    const own = examples.filter(({ text }) => text.startsWith('holdfast '));
    expect(await refused(own)).toEqual([]);
  });
});

it('names each option of each command on a page that is about the command', async () => {
  const missing = (await allCommands()).flatMap(({ name, options = [] }) => {
    const pages = PAGES.filter(({ text }) => new RegExp(`(?<![\\w-])${name}(?![\\w-])`).test(text));
    return options
      .map(({ flags }) => /--[\w-]+/.exec(flags)![0])
      .filter((option) => !pages.some(({ text }) => new RegExp(`${option}(?![\\w-])`).test(text)))
      .map((option) => `${name} ${option}`);
  });
  expect(missing).toEqual([]);
});

function pageOf(name: string): string {
  return PAGES.find(({ page }) => page === `docs/${name}.md`)!.text;
}

it('has a section on each kind of step', () => {
  const headings = [...pageOf('runbook-steps').matchAll(/^## (.*)$/gm)].flatMap(([, kinds = '']) => kinds.split(', '));
  expect(STEP_KINDS.filter((kind) => !headings.includes(kind))).toEqual([]);
});

it('has a row on each rule of alerts', () => {
  const rows = [...pageOf('alerts').matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, rule]) => rule);
  expect(rows.sort()).toEqual([...RULE_NAMES].sort());
});
