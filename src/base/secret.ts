import { hash, timingSafeEqual } from 'node:crypto';

/** Whether a text is the secret, in a time that tells nothing about either, their lengths included. */
export type SecretMatcher = (given: string) => boolean;

/** Hashes the secret once; each comparison hashes what was given. */
export function makeSecretMatcher(secret: string): SecretMatcher {
  const expected = hash('sha256', secret, 'buffer');
  return (given) => timingSafeEqual(expected, hash('sha256', given, 'buffer'));
}
