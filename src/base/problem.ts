/** One kind of refusal: `code` (its key in a table) is stable, snake_case and listed in `docs/errors.md`. */
export type ProblemKind = { readonly status: number; readonly title: string };

/** RFC 9457 problem details. */
export type ProblemDetails = {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
};

export const PROBLEM_JSON = 'application/problem+json';

/** `detail` says what is wrong with this request; without one the title has to do. */
export function toProblemDetails(code: string, kind: ProblemKind, detail?: string): ProblemDetails {
  return {
    type: `urn:firekeeper:error:${code}`,
    title: kind.title,
    status: kind.status,
    code,
    detail: detail ?? kind.title,
  };
}
