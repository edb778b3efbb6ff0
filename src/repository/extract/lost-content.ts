import { byteString, displayName } from '../../format/index.ts';
import { HoldfastError, isHoldfastError } from '../../foundation/errors.ts';

/**
 * What kept content from being read, with the file that it is for, where the repository has lost that content.
 * @param path of the file in the target, as bytes
 */
export function neededBy(path: Buffer, error: unknown): unknown {
  if (!isHoldfastError(error, 'object-missing') && !isHoldfastError(error, 'repository-damaged')) return error;
  const file = displayName(byteString(path));
  return new HoldfastError(error.code, `${error.message}; ${file} needs it`, {
    hint: '`holdfast check` names all paths that this concerns. With `--exclude` of these, the rest comes back.',
    context: { ...error.context, path: file },
    cause: error,
  });
}
