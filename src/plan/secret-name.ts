/** A version of a secret in Google's Secret Manager, also one that is kept in one region. */
const VERSION_NAME =
  /^projects\/[a-z0-9][a-z0-9.:-]*\/(?:locations\/[a-z0-9-]+\/)?secrets\/[A-Za-z0-9_-]{1,255}\/versions\/[A-Za-z0-9_-]{1,63}$/;

export const SECRET_VERSION_NOTATION = 'projects/PROJECT/secrets/NAME/versions/latest';

/** Whether a text is the full name of a version: a number, an alias or `latest`. */
export function isSecretVersionName(text: string): boolean {
  return VERSION_NAME.test(text);
}
