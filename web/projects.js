/** The page of projects: their versions as a chain, what runs, and a form to ask for the next version. */
import { makeChain } from './chain.js';
import { make } from './elements.js';
import { makeProgress } from './progress.js';
import { call } from './server.js';
import { showVersion } from './version.js';

const LOOK_MS = 3_000;
const STATES = { connecting: 'connecting', live: 'live', away: 'The server is away.', out: 'logged out' };
const RUNNING = new Set(['queued', 'running', 'committed']);

const at = (id) => document.getElementById(id);
const chain = makeChain({ list: at('chain'), onChosen: (version) => openVersion(version) });
const progress = makeProgress({ list: at('updates'), onEnded: () => look() });
/** Id of the project that is shown. */
let shown = location.hash.slice(1);
let shownVersion = null;

begin();

async function begin() {
  at('new-project').addEventListener('submit', makeProject);
  at('composer').addEventListener('submit', send);
  window.addEventListener('hashchange', () => {
    if (location.hash.slice(1) !== shown) choose(location.hash.slice(1));
  });
  await look();
  setInterval(() => {
    if (!document.hidden) look();
  }, LOOK_MS);
}

/** Reads everything that is shown. */
async function look() {
  const answer = await call('GET', '/v1/projects?limit=200');
  showState(answer);
  if (!answer.ok) return;
  const { projects } = answer.body;
  if (!projects.some(({ id }) => id === shown)) shown = projects[0]?.id ?? '';
  showProjects(projects);
  const project = projects.find(({ id }) => id === shown);
  at('project').hidden = project === undefined;
  if (project !== undefined) await lookAt(project);
}

async function lookAt(project) {
  const address = project.links.self;
  const [versions, updates] = await Promise.all([
    call('GET', `${address}/versions?limit=200`),
    call('GET', `${address}/updates?limit=200`),
  ]);
  if (project.id !== shown || !versions.ok || !updates.ok) return;
  at('project-name').textContent = project.name;
  at('project-facts').replaceChildren(...factsOf(project));
  const byVersion = new Map(updates.body.updates.map((update) => [update.result_version, update]));
  chain.show(versions.body.versions.toReversed(), byVersion);
  progress.show(updates.body.updates.filter(({ status }) => RUNNING.has(status)).toReversed());
}

function factsOf({ id, owner_id, state, head }) {
  const version = head.version === null ? 'no version yet' : `version ${head.version}`;
  const session = head.has_session ? 'has a session to go on from' : 'the next update starts fresh';
  return [`${version} · ${session} · of ${owner_id} · `, make('code', { text: id }), stateBadge(state)];
}

function stateBadge(state) {
  return state === 'active' ? '' : make('span', { class: 'badge', text: state });
}

function showState({ ok, status }) {
  const state = ok ? 'live' : status === 401 ? 'out' : 'away';
  at('connection').dataset.state = state;
  at('connection').textContent = STATES[state];
  at('login').hidden = state !== 'out';
  if (state === 'away') return;
  at('house').hidden = state === 'out';
}

function showProjects(projects) {
  at('no-projects').hidden = projects.length > 0;
  at('projects').replaceChildren(
    ...projects.map(({ id, name, state, head }) => {
      const number = make('span', { class: 'count', text: head.version === null ? '–' : `v${head.version}` });
      const link = make('a', { href: `#${id}` }, make('span', { text: name }), stateBadge(state), number);
      if (id === shown) link.setAttribute('aria-current', 'true');
      return make('li', {}, link);
    }),
  );
}

async function choose(id) {
  shown = id;
  shownVersion = null;
  chain.clear();
  progress.clear();
  at('version').hidden = true;
  await look();
}

async function openVersion(version) {
  shownVersion = version.no;
  chain.choose(version.no);
  await showVersion(at('version'), version, {
    isWanted: () => version.project_id === shown && version.no === shownVersion,
    onPrompt(prompt) {
      at('prompt').value = prompt;
      at('prompt').focus();
    },
    onRestore: () => queueUp(`${version.links.self}/restore`, {}),
  });
}

async function makeProject(event) {
  event.preventDefault();
  const answer = await call('POST', '/v1/projects', { name: at('new-name').value });
  at('new-error').textContent = answer.ok ? '' : answer.message;
  if (!answer.ok) return;
  at('new-name').value = '';
  location.hash = answer.body.id;
  await choose(answer.body.id);
}

async function send(event) {
  event.preventDefault();
  const prompt = at('prompt').value;
  if (at('composer').inert || prompt.trim() === '') return;
  at('composer').inert = true;
  const isQueued = await queueUp(`/v1/projects/${shown}/updates`, { prompt });
  at('composer').inert = false;
  if (isQueued) at('prompt').value = '';
}

async function queueUp(address, body) {
  const key = [...crypto.getRandomValues(new Uint32Array(4))].join('-');
  const answer = await call('POST', address, body, { 'idempotency-key': key });
  at('send-error').textContent = answer.ok ? '' : `Not queued. ${answer.message}`;
  if (answer.ok) await look();
  return answer.ok;
}
