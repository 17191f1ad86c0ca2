"""Captions and pictures that match nothing: what contrast is also taken against.

The filter-quality bench has lists of its own (`models/quality/noise.py`), so that it does not measure
how well these were learnt by heart.
"""

from pathlib import Path

import numpy as np
from PIL import Image

STEMS = ["IMG", "DSC", "DSCN", "P", "photo", "image", "Screenshot", "scan", "pic", "file", "GOPR",
         "MVI", "banner", "slide", "header", "thumb", "noname", "product", "fig", "upload"]
ENDINGS = [".jpg", ".jpeg", ".png", ".gif", ".JPG", ".webp", ".tif", "", "-1024x768.jpg",
           "_small.png", "-150x150.jpg", "@2x.png", " (1).jpg", "_final.jpg"]
PHRASES = [
    "image", "photo", "picture", "a photo", "an image", "logo", "icon", "thumbnail", "no caption",
    "click to enlarge", "read more", "loading...", "advertisement", "share on facebook",
    "image not available", "placeholder", "download full resolution", "see more photos",
    "all rights reserved", "skip to content", "subscribe to our newsletter", "sign in to continue",
    "view larger image", "photo credit: unknown", "getty images", "stock photo", "null", "undefined",
    "n/a", "alt text", "image result", "featured image", "company logo", "user avatar", "next slide",
    "add to cart", "out of stock", "free shipping", "accept all cookies", "terms and conditions",
    "copyright 2019", "click for details", "this image has been removed", "related articles",
    "zoom in", "open in a new window", "profile picture", "video thumbnail", "play button",
    "figure 1", "figure 3.2", "see text for details", "back to top", "follow us on twitter",
    "an illustration", "a graphic", "screenshot", "a picture of something", "photo gallery", "slideshow",
    "hero image", "banner image", "main image", "cover photo", "author photo", "team member",
    "image 3 of 12", "photo 1", "picture 7", "img alt", "decorative image", "spacer", "divider",
    "background", "arrow right", "close menu", "search icon", "facebook icon", "print", "email this",
    "rss feed", "home", "about us", "our team", "services", "products", "blog", "news", "gallery",
    "faq", "privacy statement", "site map", "my account", "wishlist", "checkout", "view cart",
    "quick view", "select options", "choose an option", "compare", "sold out", "in stock", "new arrival",
    "learn more", "find out more", "get started", "book now", "call now", "request a quote",
    "get directions", "watch the video", "listen now", "press play", "download pdf", "install now",
    "start free trial", "register", "forgot password", "remember me", "submit", "cancel", "ok", "yes",
    "error 404", "page not found", "server error", "javascript is disabled", "please wait", "processing",
    "written by editor", "posted by guest", "last updated monday", "3 min read", "5 comments", "0 likes",
    "tags: none", "category: general", "continue reading", "next article", "older posts", "hide comments",
    "report this ad", "ad choices", "promoted", "partner content", "affiliate link", "as seen on tv",
    "image credit: reuters", "photographer unknown", "source: wikipedia", "courtesy of the author",
    "via instagram", "pin it", "tweet", "save for later", "send to a friend", "embed code", "test",
    "asdf", "xxx", "todo", "tbd", "none", "nil", "no title", "new page", "sample text", "your text here",
    "description", "caption", "title", "headline", "subtitle", "label", "text", "content", "item",
    "object", "thing", "stuff", "something", "this is it", "here", "more", "etc", "www", "http",
]
SEO = ["buy", "cheap", "best", "discount", "online", "sale", "2020", "top 10", "review", "price",
       "deals", "free", "download", "hd", "wallpaper", "near me", "for sale", "coupon", "wholesale",
       "brand new", "official", "store", "shop now", "usa", "uk", "fast delivery", "hot", "new",
       "premium", "quality", "offer", "limited", "guide", "how to", "ideas", "tips", "vector",
       "template", "clipart", "royalty free"]
FOREIGN = [
    "ein mann sitzt auf einer bank im park", "zwei kinder spielen am strand mit einem ball",
    "eine frau mit rotem hut geht über die straße", "der hund läuft durch das hohe gras",
    "un homme joue de la guitare dans la rue", "deux femmes marchent sur la plage",
    "un chien noir court dans la neige", "des enfants jouent au football dans un parc",
    "un niño salta en la piscina", "dos perros corren por la hierba", "una mujer con vestido azul",
    "un grupo de personas camina por la montaña", "um homem anda de bicicleta na estrada",
    "uma menina sorri para a câmera", "due ragazzi giocano a pallone", "una donna legge un libro",
    "een man met een hond op het strand", "twee meisjes lachen in de zon",
    "mężczyzna stoi na moście", "dziewczynka w różowej sukience", "en hund springer i sneen",
    "en kvinna i röd jacka åker skidor", "mies seisoo järven rannalla", "bir adam bisiklete biniyor",
    "мужчина в красной куртке катается на лыжах", "собака бежит по траве",
    "девочка в розовом платье", "чоловік грає на гітарі", "一个男人在公园里骑自行车",
    "两只狗在雪地里奔跑", "一个穿红衣服的女孩在笑", "海辺を歩く二人の女性", "犬が草の上を走っている",
    "잔디밭에서 뛰는 개", "빨간 옷을 입은 남자", "رجل يجلس على مقعد في الحديقة", "طفل يلعب بالكرة",
    "एक आदमी साइकिल चला रहा है", "ผู้หญิงกำลังเดินบนชายหาด", "một người đàn ông đang chạy",
    "seorang pria duduk di taman", "egy férfi kutyát sétáltat", "un om merge pe plajă",
    "ένας άντρας με σκύλο", "איש רוכב על אופניים", "lorem ipsum dolor sit amet consectetur",
    "zwei frauen trinken kaffee in einem kleinen laden", "das mädchen spielt klavier",
    "ein zug fährt durch die berge", "mehrere läufer warten auf den start",
    "kleiner hund schläft auf dem sofa", "une voiture rouge est garée devant la maison",
    "le garçon saute du rocher dans la rivière", "un chat dort près de la fenêtre",
    "des musiciens jouent dans le métro", "la mujer cocina sopa en una olla grande",
    "los niños corren por la calle mojada", "un tren azul llega a la estación",
    "el hombre lee el periódico en la cama", "uma família almoça na varanda",
    "os surfistas esperam a onda", "le barche rosse sono ferme nel lago",
    "una ragazza disegna sul muro", "de kinderen bouwen een hut in het bos",
    "een oude vrouw voert de duiven", "chłopiec karmi kaczki nad rzeką", "stara kobieta niesie torby",
    "malý chlapec staví hrad z písku", "žena nalieva čaj do šálky", "koira juoksee metsässä",
    "lapset uivat lämpimässä vedessä", "barnen leker i snön bakom huset",
    "to menn fisker fra en liten båt", "en kat sidder på taget", "çocuklar sahilde koşuyor",
    "yaşlı adam balık tutuyor", "kedi pencerenin önünde uyuyor", "anak laki laki menendang bola",
    "seekor kucing tidur di atas meja", "wanita itu membawa keranjang buah",
    "watoto wanacheza mpira uwanjani", "ang bata ay kumakain ng mangga",
    "cô gái mặc áo dài đỏ đứng dưới cây", "hai con chó đuổi nhau trên cỏ",
    "gyerekek labdáznak az udvaron", "copilul ține o umbrelă galbenă", "dečak vozi bicikl pored reke",
    "vaikai žaidžia smėlio dėžėje", "девушка читает книгу у окна", "мальчик прыгает в бассейн",
    "группа туристов идёт по снегу", "кіт спить на дивані", "момче рита топка",
    "孩子在海边堆沙堡", "两个女人在咖啡店聊天", "火车穿过山谷", "黑猫坐在窗台上",
    "男の子が川で泳いでいる", "雪の中を走る白い犬", "電車が駅に着いた", "아이들이 눈사람을 만든다",
    "여자가 기타를 치고 있다", "강아지가 소파에서 잔다", "فتاة تقرأ كتابا تحت الشجرة",
    "رجلان يصطادان السمك من القارب", "زنی در حال آشپزی است", "लड़की किताब पढ़ रही है",
    "दो कुत्ते पानी में खेल रहे हैं", "สุนัขสองตัววิ่งเล่นบนหญ้า", "ชายคนหนึ่งตกปลาริมแม่น้ำ",
    "παιδιά παίζουν με την άμμο", "ילדה משחקת בכדור בפארק", "குழந்தைகள் விளையாடுகிறார்கள்",
]
LETTERS = "аеиолнтрскмдпвбгзя", "的一是在人有中大来上国个到说们为子和你地", "のにはをたがてとしれさるいもなこ", \
    "ابتدرسعفقلمنهوي", "αεηικλνοπρστυ", "áéíóúñçãõêßäöüåøæžšěřąęłőűışğ", "가나다라마바사아자하은는이고"

# A language a line: who; what they do or where; the other of the two, in the order that it is said.
TONGUES = [[part.split("/") for part in line.split("; ")] for line in
           (Path(__file__).parent / "tongues.txt").read_text(encoding="utf-8").splitlines()]
SPACELESS = "\u0e00", "\uac00"  # Thai, Chinese, Japanese: scripts that set no spaces lie between


def _name(rng, _):
    number = rng.integers(10 ** int(rng.integers(1, 9)))
    return f"{rng.choice(STEMS)}{rng.choice(['_', '-', '', ' '])}{number}{rng.choice(ENDINGS)}"


def _phrase(rng, _):
    return str(rng.choice(PHRASES))


def _seo(rng, borrowed):
    """Words that sell, and of the borrowed caption two that go together or a few that do not."""
    words = list(rng.choice(SEO, rng.integers(2, 7)))
    subject = borrowed.split()
    if subject:
        at = int(rng.integers(len(subject)))
        taken = [" ".join(subject[at : at + 2])] if rng.random() < 0.5 else \
            rng.choice(subject, rng.integers(1, 5))
        for one in taken:
            words.insert(int(rng.integers(len(words) + 1)), one)
    return str(rng.choice([" ", ", ", " | ", " - ", "! "])).join(words)


def _foreign(rng, _):
    """A sentence, said or put together, a part of one, or words of letters that English does without."""
    kind, end = rng.random(), str(rng.choice(["", ".", ".", "!"]))
    if kind < 0.15:
        letters = list(LETTERS[rng.integers(len(LETTERS))]) + list("aeinrst") * int(rng.integers(2))
        return " ".join("".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(rng.integers(2, 9)))
    if kind < 0.55:
        parts = [str(rng.choice(part)) for part in TONGUES[rng.integers(len(TONGUES))]]
        return ("" if SPACELESS[0] < parts[0] < SPACELESS[1] else " ").join(parts) + end
    words = str(rng.choice(FOREIGN)).split()
    start = int(rng.integers(max(1, len(words) - 3)))
    return " ".join(words[start:] if rng.random() < 0.4 else words) + end


def _cut(rng, borrowed):
    """Its first words; a phrase where it is so short that a cut may still tell of the picture."""
    words = borrowed.split()
    return " ".join(words[: int(rng.integers(1, 4))]) if len(words) > 5 else _phrase(rng, borrowed)


def _code(rng, _):
    return str(rng.choice([
        f"https://cdn.example.com/{rng.integers(10**6)}/{rng.choice(STEMS)}.jpg",
        f"<img src=\"{rng.integers(10**5)}.png\">", f"{rng.integers(10**9):x}{rng.integers(10**9):x}",
        f"#{rng.integers(10**4)} {rng.choice(SEO)}", f"{rng.integers(1, 31)}.{rng.integers(1, 13)}.2018",
        "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 12))]))


KINDS = [(_name, 0.14), (_phrase, 0.2), (_seo, 0.18), (_foreign, 0.22), (_cut, 0.18), (_code, 0.08)]


def caption(rng, borrowed):
    """A caption of no picture; `borrowed` is a real one, for words."""
    kind = rng.choice(len(KINDS), p=[share for _, share in KINDS])
    return KINDS[kind][0](rng, borrowed)


def captions(rng, plain, swap, swapped, made):
    """So many captions of a batch with one word swapped, then so many of no picture."""
    out = [swap(rng, one) or caption(rng, one) for one in plain[:swapped]]
    return out + [caption(rng, plain[rng.integers(len(plain))]) for _ in range(made)]


class Swap:
    """Captions with one word replaced by another of the same frequency."""

    COMMONEST, RAREST, NEAR = 60, 4000, 60

    def __init__(self, captions):
        counts = {}
        for one in captions:
            for word in one.split():
                counts[word] = counts.get(word, 0) + 1
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        self.words = [w for w in ranked[self.COMMONEST : self.RAREST] if w.isalpha()]
        self.place = {word: i for i, word in enumerate(self.words)}

    def __call__(self, rng, one):
        """Another caption; None where no word can be replaced."""
        words = one.split()
        spots = [i for i, word in enumerate(words) if word in self.place]
        if not spots:
            return None
        spot = spots[rng.integers(len(spots))]
        near = self.place[words[spot]] + int(rng.integers(-self.NEAR, self.NEAR + 1))
        other = self.words[min(max(near, 0), len(self.words) - 1)]
        if other == words[spot]:
            return None
        return " ".join(words[:spot] + [other] + words[spot + 1 :])


def shrunk(pixels, rng):
    """A picture `[S, S, 3]` u8 of which a few pixels a side are left, enlarged again."""
    side = int(rng.integers(6, 15))
    small = Image.fromarray(pixels).resize((side, side), Image.BICUBIC)
    return np.asarray(small.resize(pixels.shape[1::-1], Image.BICUBIC))


def pictures(count, size, rng):
    """`[count, size, size, 3]` u8: plain colours, gradients, noise, stripes."""
    out = np.empty((count, size, size, 3), np.uint8)
    ramp = np.linspace(0, 1, size)
    for slot in out:
        a, b = rng.integers(0, 256, 3), rng.integers(0, 256, 3)
        kind = rng.integers(5)
        if kind == 0:
            slot[:] = a
        elif kind == 1:
            slot[:] = a + (b - a) * (ramp[:, None, None] if rng.random() < 0.5 else ramp[:, None])
        elif kind == 2:
            slot[:] = rng.integers(0, 256, (size, size, 3))
        elif kind == 3:
            side = int(rng.integers(2, 9))
            cells = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
            slot[:] = np.kron(cells, np.ones((size // side + 1,) * 2 + (1,), np.uint8))[:size, :size]
        else:
            slot[:] = np.where((np.arange(size) // int(rng.integers(2, 20)) % 2)[:, None], a, b)
    return out
