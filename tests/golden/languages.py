"""Captions of our own in many languages: who, doing what, where. Every combination is a caption."""

import itertools

PHRASES = {
    "en": (
        ["a brown dog", "two children", "an old man", "a woman in a red coat", "the black cat", "a group of people", "a small bird", "my friend", "a street musician", "three horses"],
        ["sitting", "waiting for the bus", "playing with a ball", "eating an apple", "looking at the sky", "running", "reading a book", "drinking coffee", "sleeping", "talking to someone"],
        ["on the beach", "in the kitchen", "near the river", "under a big tree", "in front of the house", "at the market", "in the snow", "on a wooden table", "by the window", "in the city at night"],
    ),
    "de": (
        ["ein brauner Hund", "zwei Kinder", "ein alter Mann", "eine Frau im roten Mantel", "die schwarze Katze", "eine Gruppe von Leuten", "ein kleiner Vogel", "mein Freund", "ein Musiker", "drei Pferde"],
        ["sitzt", "wartet auf den Bus", "spielt mit einem Ball", "isst einen Apfel", "schaut in den Himmel", "läuft", "liest ein Buch", "trinkt Kaffee", "schläft", "spricht mit jemandem"],
        ["am Strand", "in der Küche", "neben dem Fluss", "unter einem großen Baum", "vor dem Haus", "auf dem Markt", "im Schnee", "auf einem Holztisch", "am Fenster", "nachts in der Stadt"],
    ),
    "fr": (
        ["un chien brun", "deux enfants", "un vieil homme", "une femme en manteau rouge", "le chat noir", "un groupe de gens", "un petit oiseau", "mon ami", "un musicien de rue", "trois chevaux"],
        ["est assis", "attend le bus", "joue avec un ballon", "mange une pomme", "regarde le ciel", "court", "lit un livre", "boit un café", "dort", "parle à quelqu'un"],
        ["sur la plage", "dans la cuisine", "près de la rivière", "sous un grand arbre", "devant la maison", "au marché", "dans la neige", "sur une table en bois", "à la fenêtre", "dans la ville la nuit"],
    ),
    "es": (
        ["un perro marrón", "dos niños", "un hombre viejo", "una mujer con abrigo rojo", "el gato negro", "un grupo de personas", "un pájaro pequeño", "mi amigo", "un músico callejero", "tres caballos"],
        ["está sentado", "espera el autobús", "juega con una pelota", "come una manzana", "mira al cielo", "corre", "lee un libro", "bebe café", "duerme", "habla con alguien"],
        ["en la playa", "en la cocina", "cerca del río", "bajo un árbol grande", "delante de la casa", "en el mercado", "en la nieve", "sobre una mesa de madera", "junto a la ventana", "en la ciudad de noche"],
    ),
    "it": (
        ["un cane marrone", "due bambini", "un uomo anziano", "una donna con il cappotto rosso", "il gatto nero", "un gruppo di persone", "un piccolo uccello", "il mio amico", "un musicista di strada", "tre cavalli"],
        ["è seduto", "aspetta l'autobus", "gioca con una palla", "mangia una mela", "guarda il cielo", "corre", "legge un libro", "beve un caffè", "dorme", "parla con qualcuno"],
        ["sulla spiaggia", "in cucina", "vicino al fiume", "sotto un grande albero", "davanti alla casa", "al mercato", "nella neve", "su un tavolo di legno", "alla finestra", "in città di notte"],
    ),
    "pt": (
        ["um cachorro marrom", "duas crianças", "um homem velho", "uma mulher de casaco vermelho", "o gato preto", "um grupo de pessoas", "um pequeno pássaro", "meu amigo", "um músico de rua", "três cavalos"],
        ["está sentado", "espera o ônibus", "brinca com uma bola", "come uma maçã", "olha para o céu", "corre", "lê um livro", "bebe café", "dorme", "fala com alguém"],
        ["na praia", "na cozinha", "perto do rio", "debaixo de uma árvore grande", "na frente da casa", "no mercado", "na neve", "em uma mesa de madeira", "à janela", "na cidade à noite"],
    ),
    "nl": (
        ["een bruine hond", "twee kinderen", "een oude man", "een vrouw in een rode jas", "de zwarte kat", "een groep mensen", "een kleine vogel", "mijn vriend", "een straatmuzikant", "drie paarden"],
        ["zit", "wacht op de bus", "speelt met een bal", "eet een appel", "kijkt naar de lucht", "rent", "leest een boek", "drinkt koffie", "slaapt", "praat met iemand"],
        ["op het strand", "in de keuken", "bij de rivier", "onder een grote boom", "voor het huis", "op de markt", "in de sneeuw", "op een houten tafel", "bij het raam", "in de stad bij nacht"],
    ),
    "sv": (
        ["en brun hund", "två barn", "en gammal man", "en kvinna i röd kappa", "den svarta katten", "en grupp människor", "en liten fågel", "min vän", "en gatumusikant", "tre hästar"],
        ["sitter", "väntar på bussen", "leker med en boll", "äter ett äpple", "tittar på himlen", "springer", "läser en bok", "dricker kaffe", "sover", "pratar med någon"],
        ["på stranden", "i köket", "vid floden", "under ett stort träd", "framför huset", "på torget", "i snön", "på ett träbord", "vid fönstret", "i staden på natten"],
    ),
    "da": (
        ["en brun hund", "to børn", "en gammel mand", "en kvinde i rød frakke", "den sorte kat", "en gruppe mennesker", "en lille fugl", "min ven", "en gademusikant", "tre heste"],
        ["sidder", "venter på bussen", "leger med en bold", "spiser et æble", "kigger på himlen", "løber", "læser en bog", "drikker kaffe", "sover", "taler med nogen"],
        ["på stranden", "i køkkenet", "ved floden", "under et stort træ", "foran huset", "på markedet", "i sneen", "på et træbord", "ved vinduet", "i byen om natten"],
    ),
    "pl": (
        ["brązowy pies", "dwoje dzieci", "stary człowiek", "kobieta w czerwonym płaszczu", "czarny kot", "grupa ludzi", "mały ptak", "mój przyjaciel", "uliczny muzyk", "trzy konie"],
        ["siedzi", "czeka na autobus", "bawi się piłką", "je jabłko", "patrzy w niebo", "biegnie", "czyta książkę", "pije kawę", "śpi", "rozmawia z kimś"],
        ["na plaży", "w kuchni", "nad rzeką", "pod dużym drzewem", "przed domem", "na targu", "w śniegu", "na drewnianym stole", "przy oknie", "w mieście nocą"],
    ),
    "cs": (
        ["hnědý pes", "dvě děti", "starý muž", "žena v červeném kabátě", "černá kočka", "skupina lidí", "malý pták", "můj přítel", "pouliční hudebník", "tři koně"],
        ["sedí", "čeká na autobus", "hraje si s míčem", "jí jablko", "dívá se na nebe", "běží", "čte knihu", "pije kávu", "spí", "mluví s někým"],
        ["na pláži", "v kuchyni", "u řeky", "pod velkým stromem", "před domem", "na trhu", "ve sněhu", "na dřevěném stole", "u okna", "ve městě v noci"],
    ),
    "ro": (
        ["un câine maro", "doi copii", "un bătrân", "o femeie în haină roșie", "pisica neagră", "un grup de oameni", "o pasăre mică", "prietenul meu", "un muzician", "trei cai"],
        ["stă", "așteaptă autobuzul", "se joacă cu o minge", "mănâncă un măr", "privește cerul", "aleargă", "citește o carte", "bea cafea", "doarme", "vorbește cu cineva"],
        ["pe plajă", "în bucătărie", "lângă râu", "sub un copac mare", "în fața casei", "la piață", "în zăpadă", "pe o masă de lemn", "la fereastră", "în oraș noaptea"],
    ),
    "fi": (
        ["ruskea koira", "kaksi lasta", "vanha mies", "nainen punaisessa takissa", "musta kissa", "joukko ihmisiä", "pieni lintu", "ystäväni", "katusoittaja", "kolme hevosta"],
        ["istuu", "odottaa bussia", "leikkii pallolla", "syö omenaa", "katsoo taivasta", "juoksee", "lukee kirjaa", "juo kahvia", "nukkuu", "puhuu jonkun kanssa"],
        ["rannalla", "keittiössä", "joen lähellä", "suuren puun alla", "talon edessä", "torilla", "lumessa", "puupöydällä", "ikkunan ääressä", "kaupungissa yöllä"],
    ),
    "tr": (
        ["kahverengi bir köpek", "iki çocuk", "yaşlı bir adam", "kırmızı paltolu bir kadın", "siyah kedi", "bir grup insan", "küçük bir kuş", "arkadaşım", "bir sokak müzisyeni", "üç at"],
        ["sahilde", "mutfakta", "nehrin yanında", "büyük bir ağacın altında", "evin önünde", "pazarda", "karda", "ahşap bir masada", "pencerenin yanında", "gece şehirde"],
        ["oturuyor", "otobüs bekliyor", "topla oynuyor", "elma yiyor", "gökyüzüne bakıyor", "koşuyor", "kitap okuyor", "kahve içiyor", "uyuyor", "biriyle konuşuyor"],
    ),
    "id": (
        ["seekor anjing cokelat", "dua anak", "seorang pria tua", "seorang wanita bermantel merah", "kucing hitam", "sekelompok orang", "seekor burung kecil", "teman saya", "seorang musisi jalanan", "tiga ekor kuda"],
        ["sedang duduk", "menunggu bus", "bermain bola", "makan apel", "melihat langit", "berlari", "membaca buku", "minum kopi", "sedang tidur", "berbicara dengan seseorang"],
        ["di pantai", "di dapur", "di dekat sungai", "di bawah pohon besar", "di depan rumah", "di pasar", "di salju", "di atas meja kayu", "di dekat jendela", "di kota pada malam hari"],
    ),
    "ru": (
        ["коричневая собака", "двое детей", "старик", "женщина в красном пальто", "чёрная кошка", "группа людей", "маленькая птица", "мой друг", "уличный музыкант", "три лошади"],
        ["сидит", "ждёт автобус", "играет с мячом", "ест яблоко", "смотрит на небо", "бежит", "читает книгу", "пьёт кофе", "спит", "разговаривает с кем-то"],
        ["на пляже", "на кухне", "у реки", "под большим деревом", "перед домом", "на рынке", "в снегу", "на деревянном столе", "у окна", "в городе ночью"],
    ),
    "el": (
        ["ένας καφέ σκύλος", "δύο παιδιά", "ένας γέρος", "μια γυναίκα με κόκκινο παλτό", "η μαύρη γάτα", "μια ομάδα ανθρώπων", "ένα μικρό πουλί", "ο φίλος μου", "ένας μουσικός", "τρία άλογα"],
        ["κάθεται", "περιμένει το λεωφορείο", "παίζει με μια μπάλα", "τρώει ένα μήλο", "κοιτάζει τον ουρανό", "τρέχει", "διαβάζει ένα βιβλίο", "πίνει καφέ", "κοιμάται", "μιλάει με κάποιον"],
        ["στην παραλία", "στην κουζίνα", "κοντά στο ποτάμι", "κάτω από ένα μεγάλο δέντρο", "μπροστά στο σπίτι", "στην αγορά", "στο χιόνι", "σε ένα ξύλινο τραπέζι", "στο παράθυρο", "στην πόλη τη νύχτα"],
    ),
    "zh": (
        ["一只棕色的狗", "两个孩子", "一位老人", "一个穿红大衣的女人", "那只黑猫", "一群人", "一只小鸟", "我的朋友", "一个街头音乐家", "三匹马"],
        ["在海滩上", "在厨房里", "在河边", "在一棵大树下", "在房子前面", "在市场", "在雪地里", "在木桌上", "在窗边", "在夜晚的城市里"],
        ["坐着", "等公共汽车", "玩球", "吃苹果", "看着天空", "跑步", "看书", "喝咖啡", "睡觉", "和别人说话"],
    ),
    "ja": (
        ["茶色の犬が", "二人の子供が", "老人が", "赤いコートの女性が", "黒い猫が", "人々のグループが", "小さな鳥が", "私の友達が", "路上の音楽家が", "三頭の馬が"],
        ["浜辺で", "台所で", "川の近くで", "大きな木の下で", "家の前で", "市場で", "雪の中で", "木のテーブルで", "窓のそばで", "夜の街で"],
        ["座っている", "バスを待っている", "ボールで遊んでいる", "りんごを食べている", "空を見ている", "走っている", "本を読んでいる", "コーヒーを飲んでいる", "眠っている", "誰かと話している"],
    ),
    "ar": (
        ["كلب بني", "طفلان", "رجل عجوز", "امرأة في معطف أحمر", "القطة السوداء", "مجموعة من الناس", "طائر صغير", "صديقي", "موسيقي في الشارع", "ثلاثة خيول"],
        ["يجلس", "ينتظر الحافلة", "يلعب بالكرة", "يأكل تفاحة", "ينظر إلى السماء", "يركض", "يقرأ كتابا", "يشرب القهوة", "ينام", "يتحدث مع شخص ما"],
        ["على الشاطئ", "في المطبخ", "بالقرب من النهر", "تحت شجرة كبيرة", "أمام المنزل", "في السوق", "في الثلج", "على طاولة خشبية", "عند النافذة", "في المدينة ليلا"],
    ),
}


def captions(language: str) -> list[str]:
    """All of a language's captions, in an order that never changes."""
    joined = "" if language in ("zh", "ja") else " "
    return [joined.join(parts) for parts in itertools.product(*PHRASES[language])]
