import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeDirectories } from '../../foundation/directories.ts';

/** The place that a demo plays in: a directory with a plan, a password, the uploads and, later, the repository. */
export interface DemoWorld {
  directory: string;
  plan: string;
  passwordFile: string;
  repository: string;
  uploads: string;
  /** Where the database comes back: its server may be another user's, who may enter here and not the one above. */
  recovered: string;
}

/** @param parent where the directory is made; the system's temporary directory by default */
export async function makeWorld(databaseUrl: string, parent: string = tmpdir()): Promise<DemoWorld> {
  await makeDirectories(parent, 0o755);
  const directory = await mkdtemp(join(parent, 'holdfast-demo-'));
  const world: DemoWorld = {
    directory,
    plan: join(directory, 'holdfast.yaml'),
    passwordFile: join(directory, 'password'),
    repository: join(directory, 'repository'),
    uploads: join(directory, 'uploads'),
    recovered: await mkdtemp(join(tmpdir(), 'holdfast-recovered-')),
  };
  await chmod(world.recovered, 0o711);
  await writeFile(world.passwordFile, `${randomBytes(18).toString('base64url')}\n`, { mode: 0o600 });
  await writeFile(world.plan, planText(databaseUrl, world.uploads));
  return world;
}

function planText(databaseUrl: string, uploads: string): string {
  return `version: 1
name: shop
objectives: { rpo: 1h, rto: 4h, proof: 8d }

repositories:
  primary:
    store: ./repository
    password: { file: password }

sources:
  shop-db:
    type: postgres
    url: ${JSON.stringify(databaseUrl)}
    method: physical
    wal: stream
    schedule: every 30m
    retention: { within: 30d }
    validate:
      - { name: customers exist, sql: "select count(*) > 0 from customers" }
      - { name: every payment has its order, sql: "select count(*) = 0 from payments p left join orders o on o.id = p.order_id where o.id is null" }
  uploads:
    type: files
    paths: [${JSON.stringify(uploads)}]
    schedule: every 30m
    retention: { within: 30d }
`;
}
