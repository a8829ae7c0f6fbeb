import type { Texts } from '../texts.ts';

export const zhCN: Texts = {
  notices: {
    working: () => '努力工作ing',
    busy: () => '⏳ 我正在处理这个房间里的另一个请求，马上就轮到您……',
    takes_longer: () => '⏳ 这次需要的时间比平时长。您的消息仍在排队，我会处理的。',
    overloaded: () => '⚠️ 抱歉，我现在太忙了，请过几分钟再试。',
    timed_out: () => '⏱️ 这个请求超时了。可以让我继续，或者把问题拆小一点。',
    connection_trouble: ({ reference }) =>
      `⚠️ 抱歉，我现在的连接有问题，请稍后再试。${reference === undefined ? '' : `（参考编号：${reference}）`}`,
    budget_reached: () => '🛑 我先停在这里：预算已经用完，请稍后再试。',
    step_limit: () => '🛑 我先停在这里：单次回答的步骤数已经用完。可以让我继续，或者把问题拆小一点。',
    fresh_start: () => 'ℹ️ 我们之前的对话记录丢失了，现在重新开始。',
    stopped: () => '⏹️ 已停止。',
    help: ({ botName }) =>
      `👋 我是${botName ?? '机器人'}。请在提到我的同时写下您的问题，我会在这里回答；在私聊中直接写就可以。`,
    nothing_to_say: () => '对此我没有什么可说的，请换个说法再问一次。',
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
