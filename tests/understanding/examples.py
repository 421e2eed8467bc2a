"""A few intents with examples of our own, in two languages, and texts that are for none of them."""

from __future__ import annotations

from bot.understanding.training import Labelled

EXAMPLES = {
    "opening_hours": [
        "when do you open", "are you open on sunday", "what time does the shop close", "opening hours please",
        "until when can i come in today", "do you close for lunch", "is the store open on public holidays",
        "你们几点开门", "周日营业吗", "商店什么时候关门", "今天营业到几点", "请问营业时间",
    ],
    "order_status": [
        "where is my order", "has my parcel been sent", "track my package", "when will my order arrive",
        "my delivery is late", "i want to know the status of my order", "did you ship my things yet",
        "我的订单到哪了", "包裹寄出了吗", "查一下快递", "我的货什么时候到", "订单状态是什么",
    ],
    "return_goods": [
        "i want to return this", "how do i send something back", "can i get a refund",
        "the shoes do not fit, i return them",
        "give me my money back", "what is your return policy", "i would like to exchange this shirt",
        "我想退货", "怎么退款", "鞋子不合适我要退", "可以换货吗", "退货政策是什么",
    ],
    "set_alarm": [
        "wake me at seven", "set an alarm for six in the morning", "alarm at 7:30",
        "please wake me up tomorrow at eight",
        "i need an alarm for noon", "ring at five o'clock", "set my alarm clock",
        "七点叫我起床", "设一个早上六点的闹钟", "明天八点叫醒我", "定个闹钟", "中午响铃",
    ],
    "play_music": [
        "play some jazz", "put on a song", "i want to hear the beatles", "play my favourite playlist",
        "start the music", "next song please", "play something calm",
        "放点音乐", "播放爵士乐", "我想听周杰伦的歌", "来一首歌", "放我的歌单",
    ],
}  # fmt: skip

ASKED = {
    "do you open on saturdays": "opening_hours",
    "where is the parcel that i ordered": "order_status",
    "i would like my money back for these shoes": "return_goods",
    "wake me up at half past six": "set_alarm",
    "play a song by mozart": "play_music",
    "你们周六几点开门": "opening_hours",
    "我的快递寄出了吗": "order_status",
    "我想退货并退款": "return_goods",
    "明天早上七点叫我": "set_alarm",
    "播放一首歌": "play_music",
}

FOREIGN = [
    "explain the theory of relativity to me",
    "who was the first emperor of rome",
    "write a poem about autumn leaves",
    "my cat has been sneezing for two days",
    "how many legs does a spider have",
]


def labelled(examples: dict[str, list[str]]) -> Labelled:
    """The examples as a set to train on."""
    pairs = [(text, label) for label, texts in examples.items() for text in texts]
    return Labelled(tuple(text for text, _ in pairs), tuple(label for _, label in pairs))
