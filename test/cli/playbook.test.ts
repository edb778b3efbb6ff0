/** The playbook of each example, held against the figures that the originals have; and one with a repository behind it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { coverageDocument } from '../../scripts/playbooks/document.ts';
import { missingFromRendered } from '../../scripts/playbooks/rendered.ts';
import { projectRoot } from '../house/fixture-tree.ts';
import { holdfast, scratchDirectory } from '../support/cli.ts';

const EXAMPLES = ['omniflow.yaml', 'omni-enterprise.yaml'];
const coverage = coverageDocument.parse(parse(readFileSync(join(projectRoot, 'examples', 'coverage.yaml'), 'utf8')));

/** Where nothing of what a plan names is to be had. */
async function rendered(example: string) {
  return holdfast(scratchDirectory(), ['--plan', join(projectRoot, 'examples', example), 'report', 'playbook'], {
    PATH: '',
    XDG_STATE_HOME: scratchDirectory(),
  });
}

describe('the playbook of an example', () => {
  it('has every chapter and number of the original, with nothing in reach, and says so with exit code 3', async () => {
    const texts = new Map<string, string>();
    for (const example of EXAMPLES) {
      const { exit, stdout } = await rendered(example);
      expect(exit).toBe(3);
      expect(stdout).toContain('The repository primary could not be read');
      expect(stdout).not.toMatch(/undefined|\[object|NaN/);
      texts.set(example, stdout);
    }
    expect(missingFromRendered(coverage, texts)).toEqual([]);
    // Each figure is looked for: without those of one chapter, the chapter is named.
    const cut = texts.get('omniflow.yaml')!.replace('| crm | daily at 02:00 |', '| crm | daily at 03:00 |');
    expect(missingFromRendered(coverage, new Map([...texts, ['omniflow.yaml', cut]]))).toEqual([
      'omniflow.yaml: Schedules, Retention, Where backups are kept does not say 2:00 AM',
    ]);
    const without = texts.get('omni-enterprise.yaml')!.replace('### Drills', '### Something else');
    expect(missingFromRendered(coverage, new Map([...texts, ['omni-enterprise.yaml', without]]))).toContain(
      'omni-enterprise.yaml: there is no chapter Drills',
    );
  });
});
