"""Known noise: pairs that a filter should reject, made of pairs that match.

Nothing here is shared with the training's own negatives (`models/train/junk.py`): other phrases,
other sentences, other name patterns.
"""

import io
import random
from collections import Counter
from dataclasses import replace

import numpy as np
from PIL import Image, ImageFilter

# Of all noise in a pool.
SHARES = {"shuffled": 0.40, "neighbour": 0.10, "phrase": 0.08, "file name": 0.06, "spam": 0.06,
          "other language": 0.06, "truncated": 0.06, "wrong image": 0.08, "blank image": 0.05,
          "tiny image": 0.05}
# Captions that describe no picture at all.
BOILERPLATE = ("phrase", "file name", "spam", "other language", "truncated")

PHRASES = [
    "Click here", "Image may contain: text", "Photo by admin", "Untitled", "Enlarge this image",
    "Share this post", "Read the full article", "Sponsored content", "Learn more about our services",
    "No description available", "Contact us today", "Home page slider", "Your browser does not "
    "support the video tag", "Page loading, please wait", "Posted in Uncategorized",
    "Please enable JavaScript", "Print this page", "A picture", "This is an image", "Default thumbnail",
    "Powered by WordPress", "View profile", "Tap to see the gallery", "Image source: internet",
    "Continue shopping", "Cookie policy", "Leave a comment", "Previous post", "Log in to reply",
    "Website header background",
]
NAMES = ["PXL_{0:08d}_{1:06d}.jpg", "WhatsApp Image 2021-{2:02d}-{3:02d} at {2}.{3:02d}.jpeg",
         "DSCF{1:04d}.JPG", "{0:x}.png", "wp-content/uploads/2017/{2:02d}/asset-{1}.jpg",
         "Screen Shot 2016-{2:02d}-{3:02d} at 10.{3:02d}.11 AM", "bild{1}.bmp", "CIMG{1:04d}",
         "foto_{3}_web_large.jpg", "{0}_{1}_n.jpg"]
SPAM = ["Order {0} online with 50% OFF | Lowest Prices Guaranteed",
        "{0} {1} {2} cheapest price compare shops", "Best {0} of the year - Buyer's Guide & Reviews",
        "{0}, {1}, {2}, {3}, tags, keywords, seo", "FREE {0} {1} PNG images download",
        "Where to get {0}? Click now!!! Limited stock {1}", "{0} {1} for her | gifts under $20",
        "#{0} #{1} #{2} #{3} #instagood #follow4follow", "Hire {0} experts in your city, call now",
        "{0} hd 4k background mobile phone"]
SENTENCES = [
    "Eine Gruppe von Menschen wartet vor dem Bahnhof auf den Bus.",
    "Der Junge mit der gelben Jacke springt in eine Pfütze.",
    "Ein alter Mann verkauft Gemüse auf dem Markt.", "Mädchen tanzen auf einer Bühne.",
    "Une petite fille tient un ballon devant la fontaine.", "Le cycliste traverse le pont sous la pluie.",
    "Des touristes prennent des photos de la cathédrale.", "Un bateau quitte le port au coucher du soleil.",
    "La señora vende frutas en el mercado del pueblo.", "Un perro blanco persigue la pelota en el jardín.",
    "Tres amigos comen helado sentados en la escalera.", "Un bambino gioca con la sabbia vicino al mare.",
    "Il cavallo marrone salta l'ostacolo.", "O rapaz de camisa verde chuta a bola.",
    "Een jongen springt van de steiger in het water.", "Dzieci bawią się na placu zabaw.",
    "Pes běží přes louku za míčem.", "Kaksi poikaa pelaa jääkiekkoa.", "En gammel dame mater duene.",
    "Kırmızı elbiseli kadın dans ediyor.", "Ребёнок держит воздушный шар на площади.",
    "Двое мужчин ремонтируют крышу дома.", "一位老人在市场卖水果。", "孩子们在操场上踢足球。",
    "赤い傘を持った子供が歩いている。", "노인이 공원에서 신문을 읽고 있다.", "امرأة تحمل مظلة حمراء في الشارع.",
    "बच्चे मैदान में क्रिकेट खेल रहे हैं।", "เด็กผู้ชายกระโดดลงน้ำ", "Anak-anak bermain layang-layang di sawah.",
]


def pool(pairs, share, seed):
    """A shuffled list of `(pair, kind)`: all matched pairs, kind "matched", and so much noise that it
    is `share` of the whole."""
    rng = random.Random(seed)
    count = round(len(pairs) * share / (1 - share))
    near = Near(pairs)
    out = [(pair, "matched") for pair in pairs]
    for kind, part in SHARES.items():
        for number in range(round(count * part)):
            at = rng.randrange(len(pairs))
            made = MAKERS[kind](pairs, at, rng, near)
            if made is not None:
                out.append((replace(made, key=f"{kind}/{number}/{made.key}"), kind))
    rng.shuffle(out)
    return out


class Near:
    """Captions that share the rarest words with another."""

    def __init__(self, pairs):
        self.pairs = pairs
        # Each in its order: sums over sets differ in their last bits from one run to the next.
        self.words = [dict.fromkeys(words(pair.caption)) for pair in pairs]
        counts = Counter(word for one in self.words for word in one)
        self.weight = {word: np.log(len(pairs) / n) for word, n in counts.items()}
        self.norms = [sum(self.weight[w] for w in one) ** 0.5 + 1e-6 for one in self.words]

    def of(self, at, rank):
        """The place of the caption of that rank, from 0, of another text."""
        own = self.words[at]
        near = [sum(self.weight[w] for w in own if w in one) / norm
                for one, norm in zip(self.words, self.norms)]
        order = sorted(range(len(near)), key=lambda i: (-near[i], i))
        others = [i for i in order if self.pairs[i].caption != self.pairs[at].caption]
        return others[min(rank, len(others) - 1)] if others else None


def words(caption):
    """Its words in lower case, bare of punctuation."""
    return [word.strip(".,;:!?\"'()").lower() for word in caption.split()]


def shuffled(pairs, at, rng, _):
    """Another pair's caption, of another text."""
    for _ in range(20):
        other = pairs[rng.randrange(len(pairs))].caption
        if other != pairs[at].caption:
            return replace(pairs[at], caption=other)
    return None


def neighbour(pairs, at, rng, near):
    """The caption of one of the five that have most in common with its own."""
    other = near.of(at, rng.randrange(5))
    return None if other is None else replace(pairs[at], caption=pairs[other].caption)


def phrase(pairs, at, rng, _):
    return replace(pairs[at], caption=rng.choice(PHRASES))


def file_name(pairs, at, rng, _):
    numbers = (rng.randrange(10**8), rng.randrange(10**4), rng.randint(1, 12), rng.randint(1, 28))
    return replace(pairs[at], caption=rng.choice(NAMES).format(*numbers))


def spam(pairs, at, rng, _):
    """Words of another caption in a spammer's sentence."""
    other = words(pairs[rng.randrange(len(pairs))].caption)
    chosen = [rng.choice(other) for _ in range(4)]
    return replace(pairs[at], caption=rng.choice(SPAM).format(*chosen))


def other_language(pairs, at, rng, _):
    return replace(pairs[at], caption=rng.choice(SENTENCES))


def truncated(pairs, at, rng, _):
    """The first two or three words of its own caption, which say nothing of the picture."""
    own = pairs[at].caption.split()
    return replace(pairs[at], caption=" ".join(own[: rng.randint(2, 3)])) if len(own) > 5 else None


def wrong_image(pairs, at, rng, _):
    """A picture of another source, or of anywhere where there is one source only."""
    others = [p for p in pairs if p.source != pairs[at].source] or pairs
    other = rng.choice(others)
    if other.caption == pairs[at].caption:
        return None
    return replace(pairs[at], image=other.image, extension=other.extension, size=other.size)


def blank_image(pairs, at, rng, _):
    """One colour, a soft gradient, or grain."""
    kind, size = rng.randrange(3), (320, 240)
    if kind == 0:
        image = Image.new("RGB", size, tuple(rng.randrange(256) for _ in range(3)))
    elif kind == 1:
        image = Image.linear_gradient("L").resize(size).convert("RGB")
    else:
        grain = np.random.default_rng(rng.randrange(2**32)).integers(0, 256, (240, 320, 3), np.uint8)
        image = Image.fromarray(grain).filter(ImageFilter.GaussianBlur(rng.randrange(3)))
    return with_image(pairs[at], image)


def tiny_image(pairs, at, rng, _):
    """What is left of the picture at 8 to 12 pixels a side."""
    image = Image.open(io.BytesIO(pairs[at].image)).convert("RGB")
    side = rng.randint(8, 12)
    return with_image(pairs[at], image.resize((side, side)))


def with_image(pair, image):
    out = io.BytesIO()
    image.save(out, "png")
    return replace(pair, image=out.getvalue(), extension="png", size=None)


MAKERS = {"shuffled": shuffled, "neighbour": neighbour, "phrase": phrase, "file name": file_name,
          "spam": spam, "other language": other_language, "truncated": truncated,
          "wrong image": wrong_image, "blank image": blank_image, "tiny image": tiny_image}
