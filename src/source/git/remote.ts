import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { GitAddress } from '../../plan/index.ts';
import type { Git } from './git-program.ts';
import { parseHead, parseLsRemote, type RefState } from './refs.ts';

/** Another repository, which is only read. */
export interface Remote {
  git: Git;
  address: GitAddress;
}

/** Far longer than a list of references takes: a server that is gone without a word is not waited for without end. */
const LONGEST_ANSWER_MS = 5 * 60_000;

/** All that a repository names now. @throws source-unreachable, source-refused, source-damaged, source-lost */
export async function readRefs({ git, address }: Remote, timeoutMs = LONGEST_ANSWER_MS): Promise<RefState> {
  try {
    const state = parseLsRemote(await git.output(['ls-remote', '--symref', '--', address.url], { timeoutMs }));
    if (state.head !== undefined || address.protocol !== 'path') return state;
    return { ...state, head: await unbornHead(git, address.url) };
  } catch (error) {
    throw remoteError(error, address);
  }
}

/** A HEAD that leads to a branch which does not exist yet, of which a server says nothing. */
async function unbornHead(git: Git, directory: string): Promise<RefState['head']> {
  // 1: it leads to an object; 128: it is a bundle, which has none.
  const acceptedStatuses = [0, 1, 128];
  const { output } = await git.run(['-C', directory, 'symbolic-ref', '--quiet', 'HEAD'], { acceptedStatuses });
  return parseHead(`ref: ${output}`);
}

/** What git says, and what that means. In this order: the first that fits counts. */
const MEANINGS: readonly {
  said: RegExp;
  code: 'source-refused' | 'source-damaged' | 'source-lost' | 'disk-full';
  hint: string;
}[] = [
  {
    said: /No space left on device|Disk quota exceeded/i,
    code: 'disk-full',
    hint: 'Set TMPDIR to a directory with space for the whole repository.',
  },
  {
    said: /host key verification failed/i,
    code: 'source-refused',
    hint: 'The server is not the one that `knownHosts` names, or its key is a new one: ask who runs it for the key, and put that there.',
  },
  {
    said: /authentication failed|could not read (username|password)|permission denied|access denied|403|401|terminal prompts disabled|invalid credentials/i,
    code: 'source-refused',
    hint: 'Check `credentials` of the source in the plan.',
  },
  {
    said: /repository corruption|is corrupt|bad object|bad pack|did not send all necessary objects|unable to read [0-9a-f]{40}|missing (blob|tree|commit|tag) object|invalid (sha1|object)/i,
    code: 'source-damaged',
    hint: 'Run `git fsck --full` in the repository itself. The snapshots until now have what it held then.',
  },
  {
    said: /early EOF|hung up unexpectedly|RPC failed|connection reset|broken pipe|transfer closed|server \S+ not responding/i,
    code: 'source-lost',
    hint: 'Run the backup again; see the server’s own log where it stays so.',
  },
];

/** About a file that is ours and gone by then. */
const SSH_ADVICE = /[/]known-hosts\b|^\s*remove with:/;

/** A failure of git to read another repository, as what it means. */
export function remoteError(error: unknown, { url, protocol }: GitAddress): unknown {
  if (isHoldfastError(error, 'timed-out')) {
    return new HoldfastError('source-unreachable', `the git repository ${url} does not answer`, {
      hint: 'See whether `git ls-remote` with this URL works from this machine.',
      retryable: true,
      cause: error,
    });
  }
  if (!isHoldfastError(error, 'program-failed')) return error;
  const said = String(error.context['said'] ?? '')
    .split(/\r?\n/)
    .filter((line) => !SSH_ADVICE.test(line))
    .join('\n')
    .trim();
  const lines = said.split('\n');
  const meaning = MEANINGS.find((each) => each.said.test(said));
  const reason =
    lines.find((line) => meaning?.said.test(line)) ??
    lines.find((line) => /^(fatal|error|remote):/i.test(line)) ??
    lines.at(-1) ??
    '';
  return new HoldfastError(meaning?.code ?? 'source-unreachable', `the git repository ${url} cannot be read`, {
    hint:
      meaning?.hint ??
      (protocol === 'path'
        ? 'Correct `url` in the plan, or mount what should be there.'
        : 'See whether `git ls-remote` with this URL works from this machine.'),
    // It may be away for now; what follows it asks again.
    retryable: meaning === undefined || meaning.code === 'source-lost',
    context: { reason, said },
    cause: error,
  });
}
