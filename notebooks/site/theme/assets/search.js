// The search looks for words that begin with what was typed. A name that is typed whole goes before longer ones:
// `RandomCrop` finds random_crop before RandomCrop3D. So each plain word is asked for as it is, too, with more weight; and two
// words in a row as one name: `motion blur` is motion_blur, `random erasing` is RandomErasing.
const QUERY = 2; // the kind of message with which Material for MkDocs asks its worker

function weighted(query) {
  const words = query.split(/\s+/).filter((word) => /^[\w.]+$/.test(word));
  const pairs = words.slice(1).map((word, i) => [words[i] + word, `${words[i]}_${word}`]);
  const names = [words, pairs.flat(), pairs.flat()].flat(); // a pair counts twice
  return [query, ...names.map((name) => `${name}^100`)].join(" ");
}

const post = Worker.prototype.postMessage;
Worker.prototype.postMessage = function (message, ...rest) {
  const asked = message && message.type === QUERY && typeof message.data === "string";
  return post.call(this, asked ? { ...message, data: weighted(message.data) } : message, ...rest);
};
