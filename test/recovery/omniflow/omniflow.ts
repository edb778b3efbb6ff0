/** The application of `examples/omniflow.yaml` on servers of this machine, and people who answer for it. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { projectRoot } from '../../house/fixture-tree.ts';
import { type MailServer, startMailServer } from '../../support/channel-servers.ts';
import { environment, PASSWORD } from '../../support/cli.ts';
import { AS_OWNER, everything, type TestDatabase, type TestFirestore } from '../../support/firestore.ts';
import type { Fields } from '../../support/firestore-server-messages.ts';
import { testDirectory } from '../../support/repository.ts';
import { type RequestServer, startRequestServer } from '../../support/request-server.ts';
import { SecretManagerServer } from '../../support/secret-manager-server.ts';
import { Responders } from '../platform/responders.ts';

export const DATABASE_SECRET = 'projects/omniflow/secrets/firestore-database';

/** A document as it is: its fields, and when it was written last. */
export interface Seen {
  fields: string;
  updated: string;
}

export class Omniflow {
  readonly directory = testDirectory();
  readonly firestore: TestFirestore;
  readonly database: TestDatabase;
  readonly secrets: SecretManagerServer;
  /** Its maintenance switch, its health, its status page, and what pages people. */
  readonly web: RequestServer;
  readonly mail: MailServer;
  readonly team: Responders;

  private constructor(parts: Pick<Omniflow, 'firestore' | 'database' | 'secrets' | 'web' | 'mail'>) {
    this.firestore = parts.firestore;
    this.database = parts.database;
    this.secrets = parts.secrets;
    this.web = parts.web;
    this.mail = parts.mail;
    this.#writeFiles();
    this.team = new Responders(this.directory, this.#variables);
  }

  static async open(firestore: TestFirestore): Promise<Omniflow> {
    const secrets = new SecretManagerServer();
    const [web, mail] = await Promise.all([startRequestServer(), startMailServer(), secrets.start()]);
    const database = firestore.another();
    web.answers.set('/pager', { status: 202, body: '{"status":"success"}' });
    secrets.put(DATABASE_SECRET, [`firestore://${database.project}`]);
    const omniflow = new Omniflow({ firestore, database, secrets, web, mail });
    await database.write(documents(40));
    await omniflow.team.document('init');
    return omniflow;
  }

  get #variables(): Record<string, string> {
    const { project } = this.database;
    const at = (path: string): string => `${this.web.url}/${path}`;
    return environment({
      ...{ HOLDFAST_ARCHIVE_PASSWORD: PASSWORD, OMNIFLOW_BACKUPS: join(this.directory, 'repository') },
      ...{ OMNIFLOW_ARCHIVE: join(this.directory, 'archive'), OMNIFLOW_PROJECT: project },
      ...{
        OMNIFLOW_PROOFS: `${project}-proofs`,
        OMNIFLOW_MAINTENANCE: at('maintenance'),
        OMNIFLOW_HEALTH: at('health'),
      },
      ...{ OMNIFLOW_STATUS_PAGE: at('status'), OMNIFLOW_STATUS_SECRET: 'of the status page', PAGER_URL: at('pager') },
      ...{
        PAGERDUTY_KEY: 'of the pager',
        SMTP_URL: `smtp://127.0.0.1:${this.mail.port}`,
        OMNIFLOW_LEAD: 'lead@example',
        OMNIFLOW_CTO: 'cto@example',
      },
      ...{ FIRESTORE_EMULATOR_HOST: this.firestore.host, SECRET_MANAGER_EMULATOR_HOST: this.secrets.host },
    });
  }

  /** Backs it up, and proves what was taken. */
  async protect(): Promise<{ snapshot: string; time: string }> {
    const taken = await this.team.document('backup', 'crm');
    await this.team.document('verify', 'crm');
    return taken.sources[0];
  }

  /** All documents of a database, by their paths. */
  async documents(root = this.database.root): Promise<Map<string, Seen>> {
    const seen = new Map<string, Seen>();
    const stream = this.firestore.client.runQuery({ parent: root, structuredQuery: everything() }, AS_OWNER);
    for await (const { document } of stream) {
      if (!document) continue;
      const { seconds, nanos } = document.updateTime;
      seen.set(document.name.slice(root.length + 1), {
        fields: JSON.stringify(document.fields),
        updated: `${seconds}.${nanos}`,
      });
    }
    return seen;
  }

  async remove(paths: readonly string[]): Promise<void> {
    const { root } = this.database;
    const writes = paths.map((path) => ({ delete: `${root}/${path}` })) as object[];
    await this.firestore.client.commit({ database: root.replace(/\/documents$/, ''), writes }, AS_OWNER);
  }

  /** Writes one document after the other, as users do, until it is told to stop. @returns the paths of what was acknowledged */
  writing(collection: string): { acknowledged: string[]; stop(): Promise<void> } {
    const acknowledged: string[] = [];
    let isOver = false;
    const done = (async () => {
      for (let number = 0; !isOver; number++, await pause(10)) {
        const path = `${collection}/since-${number}`;
        await this.database.write({ [path]: { at: { integerValue: String(number) } } });
        acknowledged.push(path);
      }
    })();
    return {
      acknowledged,
      stop: () => {
        isOver = true;
        return done;
      },
    };
  }

  /** What a place on the web was asked, in order: methods, or bodies. */
  asked(path: string): { method: string; body: string }[] {
    return this.web.asked.filter((each) => each.path === path);
  }

  async close(): Promise<void> {
    await Promise.all([this.web.close(), this.mail.close()]);
    this.secrets.stop();
  }

  #writeFiles(): void {
    const written = readFileSync(join(projectRoot, 'examples', 'omniflow.yaml'), 'utf8');
    // Nobody is to be paged by a test.
    const key = 'routingKey: { env: PAGERDUTY_KEY }';
    if (!written.includes(key)) throw new Error('the plan has no pager');
    writeFileSync(join(this.directory, 'holdfast.yaml'), written.replace(key, `${key}, url: { env: PAGER_URL }`));
    const script = join(this.directory, 'deploy');
    writeFileSync(script, '#!/bin/sh\necho "deployed to $*" >>deployed.log\n');
    chmodSync(script, 0o755);
  }
}

/** Of every collection that the plan names some, and deals below companies. */
function documents(count: number): Record<string, Fields> {
  const collections = ['companies', 'users', 'leads', 'contacts', 'campaigns', 'deals', 'activities', 'automations'];
  const all = collections.flatMap((collection) =>
    Array.from({ length: count }, (_, number) => [
      `${collection}/${number}`,
      { name: { stringValue: `${collection} ${number}` }, value: { integerValue: String(number) } },
    ]),
  );
  const below = Array.from({ length: count }, (_, number) => [
    `deals/${number}/notes/1`,
    { note: { stringValue: 'kept' } },
  ]);
  return Object.fromEntries([...all, ...below, ['apiConfigurations/mail', { key: { stringValue: 'of mail' } }]]);
}
