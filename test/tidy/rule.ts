import type { SourceFile } from './source.ts';

/** A file for a rule to be tried on: its path and text. */
export type Sample = readonly [path: string, text: string];

/** One rule for single files. `bad` and `good` are its own tests: a check that cannot fail is a defect. */
export type Rule = {
  /** A sentence: what holds. */
  readonly name: string;
  /** Which files it looks at. */
  readonly covers: (path: string) => boolean;
  /** What breaks it, each with its place; empty when nothing does. */
  readonly find: (file: SourceFile) => readonly string[];
  readonly bad: readonly [Sample, ...Sample[]];
  readonly good: readonly Sample[];
};

export function isTest(path: string): boolean {
  return path.startsWith('test/') || path.endsWith('.test.ts');
}

/** Code that runs in the server or the command line. */
export function isProduct(path: string): boolean {
  return path.startsWith('src/') && path.endsWith('.ts') && !isTest(path);
}
