import { basename } from 'node:path';
import { shellWord } from '../../../foundation/shell-word.ts';
import type { Finding, Mend } from '../../index.ts';
import type { Session } from '../session.ts';
import { sqlFile } from '../sql-files.ts';

/** A setting of a server, as it is and as its files have it. */
export interface ServerSetting {
  name: string;
  /** What the server runs with. */
  running: string;
  /** Its files have another value, which a restart brings. */
  isPending: boolean;
  /** As the files have it; undefined where they do not, or the role may not see. */
  inFiles: string | undefined;
  /** The file that the value comes from; undefined where none does, or the role may not see. */
  file: string | undefined;
  /** The server was started with it on its command line, which comes before every file. */
  isCommandLine: boolean;
}

/** Looks at settings of a server, as far as the role may. @param session an ordinary connection */
export async function readServerSettings<Name extends string>(
  session: Session,
  names: readonly Name[],
): Promise<Record<Name, ServerSetting>> {
  const rows = await session.query('look at the settings', sqlFile('settings'), [names.join(',')]);
  const mayRead = rows[0]?.['may_read_files'] === 'true';
  const files = mayRead ? await session.query('look at the files', sqlFile('file-settings'), [names.join(',')]) : [];
  const settings = rows.map(({ name, setting, is_pending, source, file }) => {
    const written = files.find((each) => each['name'] === name);
    return {
      name: name ?? '',
      running: setting ?? '',
      isPending: is_pending === 'true',
      inFiles: written?.['setting'] ?? undefined,
      file: written?.['file'] ?? file ?? undefined,
      isCommandLine: source === 'command line',
    };
  });
  return Object.fromEntries(settings.map((each) => [each.name, each])) as Record<Name, ServerSetting>;
}

export interface SettingJudgement {
  setting: ServerSetting;
  /** What it is for, with the value that there is: the finding's message. */
  message: string;
  isEnough: (value: string) => boolean;
  /** A value that would be enough. */
  proposed: string;
  /** Of the server; undefined where the role may not know it. */
  dataDirectory: string | undefined;
}

/** Whether a setting that only a restart changes is enough, now and after the next one. */
export function judgeSetting(judged: SettingJudgement): Finding {
  const { setting, message, isEnough, proposed, dataDirectory } = judged;
  const { name, running, isPending, inFiles } = setting;
  const isEnoughThen = inFiles === undefined ? undefined : isEnough(inFiles);
  if (!isEnough(running)) {
    if (!isPending || isEnoughThen === false) {
      return {
        level: 'missing',
        about: name,
        message,
        mend: changeOf(setting, proposed, 'Restart the server afterwards.'),
      };
    }
    const known = isEnoughThen === true ? `${name} = ${inFiles}` : `another ${name}, which a superuser may see`;
    const waits = `${message}; its files have ${known}, and it was not restarted since`;
    return { level: 'missing', about: name, message: waits, mend: restart(dataDirectory) };
  }
  if (!isPending || isEnoughThen === true) return { level: 'ok', about: name, message };
  if (isEnoughThen === false) {
    const then = `${message}; its files have ${name} = ${inFiles}, which is too little from the next restart on`;
    return { level: 'warning', about: name, message: then, mend: changeOf(setting, proposed) };
  }
  const line = `SELECT setting FROM pg_file_settings WHERE name = '${name}' ORDER BY seqno DESC LIMIT 1;`;
  const changes = `${message}; its files have another ${name}, which counts from the next restart on`;
  const note = `That tells what it will be; it takes \`${name} = ${proposed}\` or more.`;
  return { level: 'warning', about: name, message: changes, mend: { place: 'sql', lines: [line], note } };
}

/**
 * What changes it: a line in a file that comes before the one that has it now would change nothing.
 * @param afterwards a sentence of what there is to do then
 */
export function changeOf({ name, file, isCommandLine }: ServerSetting, value: string, afterwards?: string): Mend {
  const note = afterwards === undefined ? {} : { note: afterwards };
  if (isCommandLine) {
    const line = `Start the server with \`-c ${name}=${value}\`: it has another ${name} on its command line, which comes before its files.`;
    return { place: 'person', lines: [line] };
  }
  const byStatement = `ALTER SYSTEM SET ${name} = '${value}';`;
  const own = file === undefined ? undefined : basename(file);
  if (own === 'postgresql.auto.conf') return { place: 'sql', lines: [byStatement], ...note };
  const mend: Mend = { place: 'postgresql.conf', lines: [`${name} = ${value}`], ...note };
  if (own === undefined || own === 'postgresql.conf') return mend;
  return { ...mend, note: `It is set in ${file}: change it there. ${afterwards ?? ''}`.trim() };
}

function restart(dataDirectory: string | undefined): Mend {
  return {
    place: 'shell',
    lines: [`pg_ctl restart --pgdata ${dataDirectory === undefined ? '"$PGDATA"' : shellWord(dataDirectory)}`],
    note: 'As the user of the server, or by whatever starts it there.',
  };
}
