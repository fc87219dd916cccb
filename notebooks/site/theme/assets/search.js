// The search looks for words that begin with what was typed. A name that is typed whole goes before longer ones:
// `RandomCrop` finds random_crop before RandomCrop3D. So each plain word is asked for as it is, too, with more weight.
const QUERY = 2; // the kind of message with which Material for MkDocs asks its worker

function weighted(query) {
  const words = query.split(/\s+/).filter((word) => /^[\w.]+$/.test(word));
  return [query, ...words.map((word) => `${word}^100`)].join(" ");
}

const post = Worker.prototype.postMessage;
Worker.prototype.postMessage = function (message, ...rest) {
  const asked = message && message.type === QUERY && typeof message.data === "string";
  return post.call(this, asked ? { ...message, data: weighted(message.data) } : message, ...rest);
};
