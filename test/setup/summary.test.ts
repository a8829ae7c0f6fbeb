import { describe, expect, test } from 'vitest';
import { summarize, type TestReport } from './summary.ts';

const clean: TestReport = {
  numPassedTests: 3,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  testResults: [{ status: 'passed', assertionResults: [{ status: 'passed' }] }],
};
const broken = { status: 'failed', assertionResults: [] };

describe('the closing line of a test run', () => {
  test.each([
    ['all passed', clean, 0, true, '3 passed, 0 failed', 0],
    ['skipped ones are named', { ...clean, numPendingTests: 2 }, 0, true, '3 passed, 0 failed, 2 skipped', 0],
    ['a failed test', { ...clean, numFailedTests: 1 }, 1, true, '3 passed, 1 failed', 1],
    ['a file that did not load', { ...clean, testResults: [broken] }, 1, true, '3 passed, 1 failed', 1],
    ['a run that failed outside the tests', clean, 1, true, '3 passed, 1 failed', 1],
    ['a type error', clean, 0, false, '3 passed, 1 failed', 1],
    ['a runner that crashed', null, 134, true, '0 passed, 1 failed', 1],
    ['a run without any test', { ...clean, numPassedTests: 0 }, 0, true, '0 passed, 1 failed', 1],
  ])('%s', (_what, report, runnerExitCode, typesAreRight, line, exitCode) => {
    expect(summarize({ report, runnerExitCode, typesAreRight })).toMatchObject({ line, exitCode });
  });

  test('every failure that is not a failed test is explained', () => {
    expect(summarize({ report: null, runnerExitCode: 1, typesAreRight: false }).remarks).toHaveLength(2);
  });
});
