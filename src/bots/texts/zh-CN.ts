import { toDollars, toDuration } from '../amounts.ts';
import type { Who } from '../commands.ts';
import type { StatusFacts, Texts } from '../texts.ts';

export const zhCN: Texts = {
  notices: {
    working: () => '努力工作ing',
    busy: ({ rejected }) =>
      rejected
        ? '⏳ 我还在处理之前的消息，这一条没有接收。请等我回答之后再发一次。'
        : '⏳ 我正在处理这个房间里的另一个请求，马上就轮到您……',
    takes_longer: () => '⏳ 这次需要的时间比平时长。您的消息仍在排队，我会处理的。',
    overloaded: () => '⚠️ 抱歉，我现在太忙了，请过几分钟再试。',
    timed_out: () => '⏱️ 这个请求超时了。可以让我继续，或者把问题拆小一点。',
    connection_trouble: ({ reference }) =>
      `⚠️ 抱歉，我现在的连接有问题，请稍后再试。${reference === undefined ? '' : `（参考编号：${reference}）`}`,
    budget_reached: ({ budget }) => BUDGETS[budget ?? 'turn'],
    step_limit: () => '🛑 我先停在这里：单次回答的步骤数已经用完。可以让我继续，或者把问题拆小一点。',
    fresh_start: () => 'ℹ️ 我们之前的对话记录丢失了，现在重新开始。',
    stopped: () => '⏹️ 已停止。',
    help: ({ botName }) =>
      `👋 我是${botName ?? '机器人'}。请在提到我的同时写下您的问题，我会在这里回答；在私聊中直接写就可以。`,
    nothing_to_say: () => '对此我没有什么可说的，请换个说法再问一次。',
  },
  commands: {
    status: statusText,
    stopped: ({ dropped }) => `⏹️ 已停止。${droppedText(dropped)}`,
    stopping: ({ dropped }) => `⏹️ 正在停止，请稍等。${droppedText(dropped)}`,
    nothing_to_stop: () => '现在没有可以停止的内容。',
    forgotten: () => '🧹 我已经忘记了这次对话，我们重新开始。',
    forgetting: () => '🧹 我正在忘记这次对话，请稍等，之后我们重新开始。',
    compacting: () => '🗜️ 我正在压缩这次对话的记忆，之后会接着往下聊。',
    nothing_to_compact: () => '现在还没有可以压缩的内容。',
    model: ({ model, models }) =>
      `我现在用的是${modelText(model)}。${
        models.length === 0 ? '' : `可以用 \`/model 名称\` 更换，直到 \`/reset\` 为止：${listText(models)}。`
      }`,
    model_set: ({ model }) => `从下一条消息起我使用 \`${model}\`，直到 \`/reset\` 为止。`,
    no_such_model: ({ models }) =>
      models.length === 0 ? '没有其他模型可以选择。' : `不能使用这个模型，可以选择：${listText(models)}。`,
    refused: ({ command, who }) => `🔒 \`/${command}\` ${whoText(who)}。`,
    late: ({ command }) => `您发送 \`/${command}\` 时我不在线，没有执行。如果仍然需要，请再发一次。`,
  },
  promptWords: {
    current_date: '消息开头所写的日期',
    current_datetime: '消息开头所写的日期和时间',
    user_name: '消息开头所写的发送人',
    room_name: '消息开头所写的房间',
  },
  defaultPrompt: ({ botName, description }) =>
    `你是${botName}，团队聊天室的一员。${description}请用提问者的语言，友善、直接、简短地回答；不知道时请直说。`,
};

const BUDGETS = {
  turn: '🛑 我先停在这里：单次回答的预算已经用完。可以把问题拆小一点。',
  session: '🛑 这次对话的预算已经用完。用 `/reset` 可以开始新的对话。',
  day: '🛑 您今天的预算已经用完，请明天再试。',
};

const UNITS = { seconds: '秒', minutes: '分钟', hours: '小时', days: '天' };

function statusText(status: StatusFacts): string {
  const { session, runningMs, waiting, maxSessionCostUsd: most, maxUserDayCostUsd: mostToday } = status;
  const running = runningMs === null ? '空闲' : `正在回答，已用 ${durationText(runningMs)}`;
  const waits = waiting === 0 ? '' : `，${waiting} 条消息在排队`;
  const memory =
    session === null
      ? '没有，下一条消息将重新开始'
      : `${durationText(session.ageMs)}内 ${session.turnCount} 次回答${status.isLive ? '，随时可以继续' : ''}`;
  return [
    `- 模型：${modelText(status.model)}`,
    `- 现在：${running}${waits}`,
    `- 记忆：${memory}`,
    `- 费用：这次对话 ${toDollars(session?.costUsd ?? 0)}${limitText(most)}，您今天 ${toDollars(status.todayUsd)}${limitText(mostToday)}`,
  ].join('\n');
}

function droppedText(dropped: number): string {
  return dropped === 0 ? '' : `排队的 ${dropped} 条消息也不再处理。`;
}

function whoText(who: Who): string {
  const people = [
    ...(who.author ? ['我最近回答的人'] : []),
    ...(who.administrators ? ['管理员'] : []),
    ...(who.users.size > 0 ? ['配置中列出的人'] : []),
  ];
  return people.length === 0 ? '已被关闭' : `只有${people.join('和')}可以使用`;
}

function durationText(ms: number): string {
  const [amount, unit] = toDuration(ms);
  return `${amount} ${UNITS[unit]}`;
}

function limitText(usd: number | null): string {
  return usd === null ? '' : `（上限 ${toDollars(usd)}）`;
}

function modelText(model: string | null): string {
  return model === null ? '默认模型' : `\`${model}\``;
}

function listText(models: readonly string[]): string {
  return models.map((model) => `\`${model}\``).join('、');
}
