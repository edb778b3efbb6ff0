import { distributeArrayCasts } from './array-casts.ts';

/**
 * Whether two texts of pg_dump's say the same of one thing: what is made anew by its text is not always written with the
 * same text again. Source: what PostgreSQL's own regression database and information schema come back as.
 * @param name kind, schema and name
 */
export function isSameDefinition(name: string, was: string, is: string): boolean {
  if (was === is) return true;
  if (canonical(was) === canonical(is)) return true;
  if (name.startsWith('TABLE ')) return isReorderedChild(was, is);
  return /^OPERATOR (CLASS|FAMILY) /.test(name) && sortedLines(was) === sortedLines(is);
}

function canonical(text: string): string {
  return withoutImpliedNames(distributeArrayCasts(text));
}

/** A literal with a cast, and the name that stands for it as a column. */
const NAMED_LITERAL =
  /('(?:[^']|'')*'|\bNULL|\b\d+(?:\.\d+)?)::((?:[\w$]+\.|"(?:[^"]|"")+"\.)?(?:"(?:[^"]|"")+"|[a-z_][\w$ ]*?))((?:\(\d+(?:,\d+)?\))?(?:\[\])*) AS ("(?:[^"]|"")+"|[\w$]+)/g;

/**
 * Without names of columns that follow from a literal's type: `'x'::text AS text`. A literal whose type another branch of a
 * UNION decided has none as it is first written, and has one as it is written again.
 */
function withoutImpliedNames(text: string): string {
  return text.replaceAll(NAMED_LITERAL, (whole, literal: string, type: string, form: string, name: string) => {
    const plain = type.replace(/^(?:[\w$]+|"(?:[^"]|"")+")\./, '');
    return name.replaceAll('"', '') === (SYSTEM_NAMES[plain] ?? plain).replaceAll('"', '')
      ? `${literal}::${type}${form}`
      : whole;
  });
}

/** What the system itself calls types that SQL has words for. */
const SYSTEM_NAMES: Readonly<Record<string, string>> = {
  bigint: 'int8',
  'bit varying': 'varbit',
  boolean: 'bool',
  character: 'bpchar',
  'character varying': 'varchar',
  'double precision': 'float8',
  integer: 'int4',
  real: 'float4',
  smallint: 'int2',
  'time with time zone': 'timetz',
  'time without time zone': 'time',
  'timestamp with time zone': 'timestamptz',
  'timestamp without time zone': 'timestamp',
};

const CHILD_COLUMNS = /\(\n([\s\S]*)\n\)\nINHERITS /;

/**
 * Whether two definitions of a table that inherits differ in the order of its columns alone. A column that a parent got later
 * stands behind the child's own; when both are made anew, all of the parent's come first, and nothing can be done about it.
 */
function isReorderedChild(was: string, is: string): boolean {
  const [before, after] = [was, is].map((text) => CHILD_COLUMNS.exec(text)?.[1]);
  if (before === undefined || after === undefined) return false;
  return was.replace(before, '') === is.replace(after, '') && sortedLines(before) === sortedLines(after);
}

/** Lines of a list in an order of their own, whichever of them is the last. */
function sortedLines(text: string): string {
  const lines = text.split('\n').map((line) => line.replace(/\s*[,;]$/, ''));
  return lines.toSorted().join('\n');
}
