import { resolve } from 'node:path';
import { EXIT, HoldfastError, isHoldfastError } from '../../foundation/errors.ts';
import type { Believed, VerifiedEvidence } from '../../operations/index.ts';
import type { CommandDefinition, Invocation } from '../command.ts';
import { REPOSITORY_EXITS } from '../exit-codes.ts';
import { bad, counted, doubtful, faint, good, ofOthers, oneLine, shownTime } from '../text.ts';

export const reportVerify: CommandDefinition = {
  name: 'report verify',
  arguments: '<file...>',
  summary: 'check evidence: who signed it, when, and whether it was changed',
  description:
    'Checks files of evidence as `evidence export` writes them: whether the signature is right, whether the key is one of the plan that signed at that time and was not revoked, and whether a document beside the file is the one that it is about. With --public-key, no plan and no repository are needed: that key alone is believed, and the list of keys beside the evidence if that key signed it. Exit code 1 when any of it is refused.',
  options: [
    {
      flags: '--public-key <file>',
      description: 'believe this key, in PEM, and not the plan; may be given several times',
      repeats: true,
    },
  ],
  examples: [
    { command: 'holdfast report verify evidence/*.jsonl', does: 'is all of it as it was signed?' },
    {
      command: 'holdfast report verify --public-key signing.pem.pub evidence/incident-3fa85f64.intoto.jsonl',
      does: 'the same, for who has neither the plan nor the repository',
    },
  ],
  exits: [...REPOSITORY_EXITS, EXIT.failed],
  writes: false,
  async run(invocation) {
    const { arguments: given, directory } = invocation;
    const files = (given[0] as string[]).map((file) => resolve(directory, file));
    const { verifyEvidence } = await import('../../operations/index.ts');
    const { keys, notes } = await believedKeys(invocation, files);
    const evidence: VerifiedEvidence[] = [];
    for (const file of files) evidence.push(...(await verifyEvidence(file, keys)));
    const isRefused = evidence.some(({ verdict }) => verdict === 'refused');
    const verdict = isRefused ? 'refused' : 'verified';
    return {
      exit: isRefused ? EXIT.failed : EXIT.done,
      json: { verdict, evidence, notes },
      text: [
        ...evidence.flatMap(describe),
        ...summary(evidence),
        ...notes.map((note) => oneLine`${doubtful('not known')} ${note}`),
      ].join('\n'),
    };
  },
};

async function believedKeys(
  { options, directory, workspace }: Invocation,
  files: readonly string[],
): Promise<Believed> {
  const operations = await import('../../operations/index.ts');
  const given = options['publicKey'] as string[] | undefined;
  if (given !== undefined)
    return operations.believedByFiles(
      given.map((file) => resolve(directory, file)),
      files,
    );
  try {
    return await operations.believedByPlan(await workspace());
  } catch (error) {
    if (!isHoldfastError(error, 'plan-not-found')) throw error;
    throw new HoldfastError('bad-usage', 'there is neither a plan here, nor a key that evidence is to be believed by', {
      hint: 'Give the public key that you had from them by `--public-key FILE`.',
      cause: error,
    });
  }
}

function describe({
  file,
  line,
  verdict,
  reasons,
  kind,
  plan,
  signedAt,
  key,
  says,
  subjects,
}: VerifiedEvidence): string[] {
  const name = line === undefined ? file : `${file}, line ${line}`;
  const said = [
    ...(says === undefined ? [] : [ofOthers(says)]),
    ...(kind === undefined
      ? []
      : [`${kind} of ${ofOthers(plan ?? '')}, signed ${shownTime(signedAt ?? '')} by the key ${key?.slice(0, 16)}`]),
  ];
  if (verdict === 'refused') {
    const claims = said.map((text) => faint(oneLine`  it says: ${text}`));
    return [oneLine`${bad('REFUSED')} ${name}`, ...reasons.map((reason) => oneLine`  ${ofOthers(reason)}`), ...claims];
  }
  const about = subjects.map(({ name: subject, sha256, state }) => {
    const shown =
      state === 'same' ? good('is as it was signed') : faint(`SHA-256 ${sha256.slice(0, 16)}…, not compared`);
    return oneLine`  about ${ofOthers(subject)}: ${shown}`;
  });
  return [oneLine`${good('verified')} ${name}`, ...said.map((text) => oneLine`  ${text}`), ...about];
}

function summary(evidence: readonly VerifiedEvidence[]): string[] {
  if (evidence.length < 2) return [];
  const refused = evidence.filter(({ verdict }) => verdict === 'refused').length;
  const verified = `${counted(evidence.length - refused, 'statement')} verified`;
  return [refused === 0 ? verified : `${verified}, ${bad(`${refused} REFUSED`)}`];
}
