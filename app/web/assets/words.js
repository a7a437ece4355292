// What the page says, in English and Chinese.
const WORDS = {
  en: {
    title: "Rackwright", signIn: "Sign in", signOut: "Sign out", user: "User", password: "Password",
    signInHint: "Your private assistant. Nothing leaves the intranet.",
    signInThere: "Sign in with your work account",
    cancelled: "Signing in was cancelled.", unfinished: "That took too long, or was begun elsewhere. Please try again.",
    refused: "Your account may not use this service. Ask its administrators.",
    unavailable: "The sign-in service cannot be reached. Please try again later.",
    notSignedIn: "Signing in failed. Please try again.",
    wrongPassword: "User or password is wrong.", tooManyTries: "Too many tries. Wait a while.",
    newChat: "New conversation", conversations: "Conversations", documents: "Documents",
    upload: "Upload a document", uploading: "Taking in {name} …", uploaded: "{name} is ready.",
    remove: "Remove {name}", removeSure: "Remove {name}?", noDocuments: "No documents yet.",
    noSessions: "None yet.", conversation: "Conversation", message: "Message",
    messageHint: "Ask something …", fromDocuments: "Answer from my documents", send: "Send", stop: "Stop",
    welcome: "What would you like to know?", welcomeHint: "Enter sends, Shift+Enter begins a new line.",
    sources: "Sources", page: "page {page}", noSources: "Your documents do not answer this.",
    interrupted: "Interrupted.", failed: "The answer failed: {reason}", offline: "The server cannot be reached.",
    expired: "You have been signed out. Please sign in again.", theme: "Light or dark", menu: "Menu",
    skip: "To the message box", other: "中文",
  },
  zh: {
    title: "Rackwright", signIn: "登录", signOut: "退出", user: "用户名", password: "密码",
    signInHint: "您的私有助手，数据不出内网。",
    signInThere: "使用单位统一账号登录",
    cancelled: "已取消登录。", unfinished: "登录超时，或并非在此浏览器中发起，请重试。",
    refused: "您的账号无权使用本服务，请联系管理员。",
    unavailable: "无法连接统一登录服务，请稍后再试。",
    notSignedIn: "登录失败，请重试。",
    wrongPassword: "用户名或密码错误。", tooManyTries: "尝试次数过多，请稍后再试。",
    newChat: "新对话", conversations: "历史对话", documents: "文档",
    upload: "上传文档", uploading: "正在处理 {name} …", uploaded: "{name} 已就绪。",
    remove: "删除 {name}", removeSure: "确定删除 {name}？", noDocuments: "还没有文档。",
    noSessions: "还没有对话。", conversation: "对话", message: "消息",
    messageHint: "请输入问题 …", fromDocuments: "根据我的文档回答", send: "发送", stop: "停止",
    welcome: "您想了解什么？", welcomeHint: "回车发送，Shift+回车换行。",
    sources: "来源", page: "第 {page} 页", noSources: "您的文档中没有相关内容。",
    interrupted: "已中断。", failed: "回答失败：{reason}", offline: "无法连接服务器。",
    expired: "您已退出，请重新登录。", theme: "浅色或深色", menu: "菜单",
    skip: "跳到输入框", other: "English",
  },
};

const kept = localStorage.getItem("language");
let language = kept in WORDS ? kept : navigator.language.startsWith("zh") ? "zh" : "en";

export function say(name, values = {}) {
  return (WORDS[language][name] ?? name).replace(/\{(\w+)\}/g, (all, key) => values[key] ?? all);
}

export function switchLanguage() {
  language = language === "en" ? "zh" : "en";
  localStorage.setItem("language", language);
}

// Writes into an element what changes its language with the page's; a text that is no name of ours stays as it is.
export function write(element, name, values = {}) {
  element.dataset.text = name;
  element.dataset.values = JSON.stringify(values);
  element.textContent = say(name, values);
}

// Fills in everything that the page's own elements say.
export function translate(root = document) {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const each of root.querySelectorAll("[data-text]")) write(each, each.dataset.text, JSON.parse(each.dataset.values ?? "{}"));
  for (const each of root.querySelectorAll("[data-placeholder]")) each.placeholder = say(each.dataset.placeholder);
  for (const each of root.querySelectorAll("[data-label]")) each.setAttribute("aria-label", say(each.dataset.label));
  for (const each of root.querySelectorAll("[data-title]")) {
    each.title = say(each.dataset.title);
    each.setAttribute("aria-label", say(each.dataset.title));
  }
  for (const each of root.querySelectorAll('[data-action="language"]')) each.textContent = say("other");
}
