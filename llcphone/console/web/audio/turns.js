// From mouth to ear: how long after the last of what was said the answer is heard. Judged in pieces of 10 ms.

const LOUD = 10 ** (-38 / 20); // of full scale: the gate of the simulated telephones
const SPEECH = 10; // loud pieces that make speech; a click makes fewer
const QUIET = 15; // quiet pieces of the ear before what comes is an answer
const PAUSE = 100; // quiet pieces of the mouth after which it begins anew

export class Turns {
  constructor(rate) {
    this.length = Math.round(rate / 100);
    this.filled = 0;
    this.mouth = this.ear = 0; // sums of squares
    this.piece = 0; // number of this piece
    this.loudPieces = 0;
    this.lastLoud = -1; // of the mouth
    this.earQuiet = QUIET;
    this.asked = false; // something was said, and is not answered yet
  }

  // Takes a sample of each; the gap in ms when an answer begins, else -1.
  take(mouth, ear) {
    this.mouth += mouth * mouth;
    this.ear += ear * ear;
    if (++this.filled < this.length) return -1;
    const level = LOUD * LOUD * this.length;
    const gap = this.judge(this.mouth > level, this.ear > level);
    this.filled = this.mouth = this.ear = 0;
    this.piece++;
    return gap;
  }

  judge(speaks, hears) {
    if (speaks) {
      if (this.piece - this.lastLoud > PAUSE) this.loudPieces = 0;
      this.lastLoud = this.piece;
      if (++this.loudPieces >= SPEECH) this.asked = true;
    }
    const begins = hears && this.earQuiet >= QUIET;
    this.earQuiet = hears ? 0 : this.earQuiet + 1;
    if (!begins || !this.asked || speaks) return -1;
    this.asked = false;
    this.loudPieces = 0;
    return (this.piece - this.lastLoud - 1) * 10;
  }
}
