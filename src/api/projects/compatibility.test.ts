import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeFakeClock } from '../../../test/fixtures/fake-clock.ts';
import { AS_ADMIN, type Doors, openDoors } from '../../../test/fixtures/front-doors.ts';
import { type MemoryProjects, makeMemoryProjects } from '../../../test/fixtures/memory-projects.ts';
import { DEFAULT_POLICY, type Project, type UpdateId } from '../../projects/projects.ts';
import { newProjectToken } from './who-asks.ts';

type Headers = Readonly<Record<string, string>>;

let memory: MemoryProjects;
let doors: Doors;
let project: Project;
beforeEach(async () => {
  const clock = makeFakeClock();
  memory = makeMemoryProjects(clock);
  doors = await openDoors({ projects: memory.projects, clock });
  project = await make('ada');
});
afterEach(() => doors.close());

function make(ownerId: string): Promise<Project> {
  return memory.projects.create({ name: 'Shop', ownerId, policy: DEFAULT_POLICY, importFrom: null });
}
async function tokenFor(userId: string): Promise<Headers> {
  const { token, hash } = newProjectToken();
  await memory.projects.records.addToken({ projectId: project.id, userId, label: '', hash });
  return { authorization: `Bearer ${token}` };
}
function post(url: string, payload: object, headers: Headers = AS_ADMIN) {
  return doors.http.inject({ method: 'POST', url, headers, payload });
}
const CREATE = '/v1/create-preview-for-new-project';
const wish = (facts: object = {}) => ({
  userId: 'ada',
  projectId: project.id,
  prompt: 'Make it blue',
  ...facts,
});

describe.each(['/update-project', '/v1/update-project'])('POST %s', (address) => {
  it("queues an update and answers in the predecessor's words, without a made-up one", async () => {
    memory.addVersion(project.id);
    const extras = { framework: 'react', webhookUrl: 'https://example.com/hook' };
    const answer = await post(address, wish(extras));
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toEqual({
      success: true,
      jobId: '1',
      buildId: '1',
      projectId: project.id,
      status: 'queued',
      message: 'The update is queued; /v1/updates/1 tells how it goes.',
      baseVersionId: '1',
      estimatedTime: null,
    });
    expect(await memory.projects.updates.get(1 as UpdateId)).toMatchObject({
      userId: 'ada',
      prompt: 'Make it blue',
    });
  });

  it('queues one for each call, or one for each key', async () => {
    const idOf = async (headers: Headers = AS_ADMIN) => (await post(address, wish(), headers)).json().buildId;
    expect([await idOf(), await idOf()]).toEqual(['1', '2']);
    const keyed = { ...AS_ADMIN, 'idempotency-key': 'k' };
    expect([await idOf(keyed), await idOf(keyed)]).toEqual(['3', '3']);
  });

  it.each([
    ['another project', { projectId: 'none' }, 404, 'unknown_project'],
    ['nobody', { userId: undefined }, 422, 'invalid_fields'],
    ['an empty prompt', { prompt: '' }, 422, 'invalid_fields'],
    ['a prompt too long', { prompt: 'a'.repeat(65_537) }, 413, 'too_large'],
    ['a stranger', { userId: 'eve' }, 403, 'foreign_user'],
  ])('refuses %s with problem details', async (_title, facts, status, code) => {
    const answer = await post(address, wish(facts));
    expect([answer.statusCode, answer.json().code]).toEqual([status, code]);
    expect(answer.headers['content-type']).toContain('application/problem+json');
  });

  it('takes a token of the project, for its user', async () => {
    const headers = await tokenFor('bob');
    expect((await post(address, wish({ userId: 'bob' }), headers)).statusCode).toBe(200);
    expect((await post(address, wish(), headers)).json().code).toBe('foreign_user');
    const foreign = await make('bob');
    const answer = await post(address, { ...wish({ userId: 'bob' }), projectId: foreign.id }, headers);
    expect(answer.json()).toMatchObject({ status: 404, code: 'unknown_project' });
  });

  it('tells of a full queue and of a frozen project', async () => {
    for (const _ of [1, 2, 3]) await post(address, wish());
    expect((await post(address, wish())).headers['retry-after']).toBe('30');
    await memory.projects.records.change(project.id, { state: 'frozen' }, 'operator');
    expect((await post(address, wish())).json()).toMatchObject({ status: 409, code: 'project_frozen' });
  });
});

describe(`POST ${CREATE}`, () => {
  it('makes a project of the user and queues its first update', async () => {
    const answer = await post(CREATE, { userId: 'bob', prompt: 'A shop', framework: 'nextjs' });
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({
      success: true,
      buildId: '1',
      projectId: 'p2',
      status: 'queued',
      baseVersionId: null,
      estimatedTime: null,
    });
    const made = (await memory.projects.records.list(project.id, 1))[0];
    expect(made).toMatchObject({ ownerId: 'bob', policy: { instructions: 'The project uses Next.js.' } });
    expect(await memory.projects.updates.get(1 as UpdateId)).toMatchObject({
      userId: 'bob',
      prompt: 'A shop',
    });
  });

  it('updates the project that it names', async () => {
    expect((await post(CREATE, wish())).json().projectId).toBe(project.id);
    expect((await post(CREATE, wish({ projectId: 'none' }))).json().code).toBe('unknown_project');
  });

  it.each([
    ['a framework that is none', { framework: 'cobol' }, 422],
    ['a prompt too long', { prompt: 'a'.repeat(65_537) }, 413],
  ])('refuses %s and makes no project', async (_title, facts, status) => {
    const answer = await post(CREATE, { userId: 'bob', prompt: 'A shop', ...facts });
    expect(answer.statusCode).toBe(status);
    expect(await memory.projects.records.list(project.id, 1)).toEqual([]);
  });

  it('is for the administrator, but for a project that there is', async () => {
    const headers = await tokenFor('ada');
    const refused = await post(CREATE, { userId: 'ada', prompt: 'A shop' }, headers);
    expect(refused.json()).toMatchObject({ status: 403, code: 'admin_only' });
    expect((await post(CREATE, wish(), headers)).statusCode).toBe(200);
  });
});
