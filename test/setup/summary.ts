/** The closing line of a test run, from what the runner reported; never better than what happened. */

/** The part of vitest's JSON report that the line is made of. */
export type TestReport = {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
};

export type TestRun = {
  /** Null when the runner wrote none: it crashed. */
  readonly report: TestReport | null;
  readonly runnerExitCode: number;
  readonly typesAreRight: boolean;
};

export type Summary = {
  readonly line: string;
  readonly exitCode: 0 | 1;
  readonly remarks: readonly string[];
};

/** A type error, a file that did not load and a runner that failed without a failed test count as one failure each. */
export function summarize(run: TestRun): Summary {
  const passed = run.report?.numPassedTests ?? 0;
  const skipped = (run.report?.numPendingTests ?? 0) + (run.report?.numTodoTests ?? 0);
  const failedTests = run.report?.numFailedTests ?? 0;
  const brokenFiles = run.report?.testResults.filter(isBroken).length ?? 0;
  const runnerFailed = run.runnerExitCode !== 0 && failedTests + brokenFiles === 0;
  const ranNothing = run.runnerExitCode === 0 && passed + failedTests + brokenFiles === 0;

  const remarks = [
    ...(run.typesAreRight ? [] : ['The type check failed; it counts as one failure.']),
    ...(brokenFiles === 0 ? [] : [`${brokenFiles} test file(s) failed outside their tests.`]),
    ...(runnerFailed ? ['The test run failed outside the tests; its reason stands above.'] : []),
    ...(ranNothing ? ['No test ran; that is a failure.'] : []),
  ];
  const failed =
    failedTests + brokenFiles + [!run.typesAreRight, runnerFailed, ranNothing].filter(Boolean).length;
  return {
    line: `${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`,
    exitCode: failed === 0 ? 0 : 1,
    remarks,
  };
}

/** A file that failed although none of its tests did: it did not load, or a hook of it threw. */
function isBroken(file: TestReport['testResults'][number]): boolean {
  return file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed');
}
