/** The page: logs in, shows one room of the built-in chat with its turns, and the recent turns of all. */
import { make } from './elements.js';
import { makeRoomView } from './room.js';
import { makeRunningTurns } from './running.js';
import { call, follow } from './server.js';
import { turnRow, whereabouts } from './turn.js';

const MOST_TURNS = 40;
const FIRST_WORDS = [
  'Hello! Who are you?',
  'Please remember that my favourite colour is green.',
  'What is my favourite colour?',
];

const STATES = {
  connecting: 'connecting',
  live: 'live',
  away: 'The server is away. Reconnecting…',
  out: 'logged out',
};

const at = (id) => document.getElementById(id);
const bots = new Map();
const botName = (id) => bots.get(id)?.name ?? id;
const view = makeRoomView({ list: at('messages'), scroll: at('scroll') });
const running = makeRunningTurns({ list: at('running'), botName });

await begin();

async function begin() {
  at('login-form').addEventListener('submit', logIn);
  at('composer').addEventListener('submit', send);
  at('text').addEventListener('input', fitText);
  at('text').addEventListener('keydown', sendOnEnter);
  at('settings').addEventListener('submit', (event) => event.preventDefault());
  at('settings').addEventListener('change', keepSettings);
  at('show-turns').addEventListener('click', toggleTurns);
  restoreSettings();

  const code = takeCode();
  const refused = code === null ? null : await exchange({ code });
  // An old login may still be good when the code is not.
  if (await isLoggedIn()) return enter();
  showLogin(refused);
}

/** The code in the address, which is then taken out of it and of the history. */
function takeCode() {
  const code = new URLSearchParams(location.hash.slice(1)).get('code');
  if (location.hash !== '') history.replaceState(null, '', location.pathname + location.search);
  return code;
}

/** Null when the server accepted it, else why not. */
async function exchange(proof) {
  const answer = await call('POST', '/api/login', proof);
  return answer.ok ? null : answer.message;
}

async function isLoggedIn() {
  const answer = await call('GET', '/api/bots');
  if (answer.ok) showBots(answer.body);
  return answer.ok;
}

function showLogin(message) {
  at('rooms').hidden = true;
  at('show-turns').hidden = true;
  at('login').hidden = false;
  at('login-error').textContent = message ?? '';
  showState('out');
  at('secret').focus();
}

async function logIn(event) {
  event.preventDefault();
  const secret = at('secret').value.trim();
  const code = new URLSearchParams(secret.split('#')[1] ?? '').get('code');
  const refused = await exchange(code === null ? { token: secret } : { code });
  at('secret').value = '';
  if (refused === null && (await isLoggedIn())) return enter();
  showLogin(refused ?? 'The login did not hold. Does the browser accept cookies here?');
}

function enter() {
  at('login').hidden = true;
  at('rooms').hidden = false;
  at('show-turns').hidden = false;
  showState('connecting');
  follow({ onEvent, onState, isWelcome });
}

/** False ends the attempts to reconnect: the login is over and the form is shown. */
async function isWelcome() {
  const answer = await call('GET', '/api/bots');
  if (answer.ok) showBots(answer.body);
  if (answer.status !== 401) return true;
  showLogin('The login has expired.');
  return false;
}

async function onState(state) {
  showState(state);
  if (state === 'live') await Promise.all([loadRoom(), loadTurns()]);
}

function showState(state) {
  at('connection').dataset.state = state;
  at('connection').textContent = STATES[state];
}

function onEvent(type, event) {
  if (type === 'turn.finished' || type === 'turn.failed') showTurns([event.turn]);
  if (type === 'room.message') {
    if (event.room_id === at('room').value) showMessages([event.message]);
    return;
  }
  if (isOfRoom(event)) view.keepAtEnd(() => showEvent(type, event));
}

function showEvent(type, event) {
  switch (type) {
    case 'turn.started':
      return running.started(event);
    case 'text.delta':
      return running.text(event);
    case 'tool.started':
      return running.tool(event, true);
    case 'tool.finished':
      return running.tool(event, false);
    case 'turn.failed':
      view.addTurns([event.turn]);
      return running.failed(event);
    case 'turn.finished':
      if (view.addTurns([event.turn])) return running.drop(event.conversation);
      return running.finished(event);
  }
}

/** Reads what is new in the room, or all of it when nothing is shown yet. */
async function loadRoom() {
  const room = at('room').value;
  const newest = view.newestId();
  const query = newest === null ? '' : `?after=${newest}`;
  const answer = await call('GET', `/local/rooms/${encodeURIComponent(room)}/messages${query}`);
  if (room !== at('room').value) return;
  const isBuiltin = answer.code !== 'not_builtin';
  at('chat').hidden = !isBuiltin;
  at('elsewhere').hidden = isBuiltin;
  if (answer.ok) showMessages(answer.body.messages);
  else if (isBuiltin) at('send-error').textContent = answer.message;
}

/** Whether a turn, or an event of one, belongs to the room that is shown. */
function isOfRoom({ conversation }) {
  const { chat, room } = whereabouts(conversation);
  return chat === 'builtin' && room === at('room').value;
}

function showMessages(messages) {
  view.keepAtEnd(() => {
    view.addMessages(messages);
    for (const { author } of messages) running.dropEnded(author.id);
  });
  const isEmpty = view.newestId() === null;
  at('empty').hidden = !isEmpty;
  if (isEmpty) showEmptyRoom();
}

async function loadTurns() {
  const answer = await call('GET', `/api/turns?limit=${MOST_TURNS}`);
  if (!answer.ok) return;
  const oldestFirst = answer.body.turns.toReversed();
  at('turns').replaceChildren();
  showTurns(oldestFirst);
  view.keepAtEnd(() => view.addTurns(oldestFirst.filter(isOfRoom)));
}

/** Adds them on top of the list. */
function showTurns(turns) {
  at('turns').prepend(...turns.map((turn) => turnRow(turn, botName)).reverse());
  while (at('turns').children.length > MOST_TURNS) at('turns').lastElementChild.remove();
  at('no-turns').hidden = at('turns').children.length > 0;
}

function showBots({ bots: found, problems }) {
  const chosen = at('bot').value || localStorage.getItem('bot');
  bots.clear();
  for (const bot of found) bots.set(bot.bot_id, bot);
  at('bot').replaceChildren(...found.map((bot) => make('option', { value: bot.bot_id, text: bot.name })));
  const usual = found.find((bot) => bot.is_default) ?? found[0];
  at('bot').value = bots.has(chosen) ? chosen : (usual?.bot_id ?? '');
  at('composer').hidden = found.length === 0;
  at('problems').replaceChildren(...(problems.length === 0 ? [] : [problemList(problems)]));
}

function problemList(problems) {
  const lines = problems.map(({ severity, file, field, reason }) =>
    make('li', {}, make('b', { text: severity }), ` ${file}${field === null ? '' : `, ${field}`}: ${reason}`),
  );
  const summary = make('summary', { text: `Bot files: ${problems.length} to look at` });
  return make('details', { class: 'notice' }, summary, make('ul', {}, ...lines));
}

function showEmptyRoom() {
  const bot = bots.get(at('bot').value);
  if (!bot) {
    at('empty').replaceChildren(
      make('p', { text: 'There is no bot yet. Put a bot file into the bots folder.' }),
    );
    return;
  }
  const chips = FIRST_WORDS.map((words) => {
    const chip = make('button', { type: 'button', class: 'quiet', text: words });
    chip.addEventListener('click', () => {
      at('text').value = words;
      at('composer').requestSubmit();
    });
    return chip;
  });
  at('empty').replaceChildren(
    make('p', { text: `Nothing has been said here yet. Write to ${bot.name}.` }),
    make('div', { class: 'chips' }, ...chips),
  );
}

async function send(event) {
  event.preventDefault();
  const text = at('text').value;
  if (text.trim() === '' || at('composer').inert) return;
  at('composer').inert = true;
  const answer = await call('POST', `/local/rooms/${encodeURIComponent(at('room').value)}/messages`, {
    bot_id: at('bot').value,
    text,
    user: { id: userId(), name: at('name').value },
  });
  at('composer').inert = false;
  at('send-error').textContent = answer.ok ? '' : `Not sent. ${answer.message}`;
  if (answer.status === 401) return showLogin('The login has expired.');
  if (answer.ok) {
    at('text').value = '';
    fitText();
    showMessages([answer.body.message]);
    at('scroll').scrollTop = at('scroll').scrollHeight;
  }
  at('text').focus();
}

function sendOnEnter(event) {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  at('composer').requestSubmit();
}

/** As high as what it holds, up to what the style sheet allows. */
function fitText() {
  at('text').style.height = 'auto';
  at('text').style.height = `${at('text').scrollHeight + 2}px`;
}

/** Made once for this browser, so that two people with one name are two. */
function userId() {
  const kept = localStorage.getItem('user');
  if (kept) return kept;
  const made = `page-${crypto.getRandomValues(new Uint32Array(2)).join('')}`;
  localStorage.setItem('user', made);
  return made;
}

function restoreSettings() {
  at('room').value = localStorage.getItem('room') ?? 'lobby';
  at('name').value = localStorage.getItem('name') ?? 'Guest';
}

async function keepSettings(event) {
  const { id, value } = event.target;
  if (value.trim() === '') return restoreSettings();
  localStorage.setItem(id, value);
  if (id === 'bot' && view.newestId() === null) showEmptyRoom();
  if (id !== 'room') return;
  view.clear();
  running.clear();
  await Promise.all([loadRoom(), loadTurns()]);
}

function toggleTurns() {
  const isOpen = at('rooms').classList.toggle('shows-turns');
  at('show-turns').setAttribute('aria-expanded', String(isOpen));
}
