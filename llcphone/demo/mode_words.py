"""What caller and agent say in ``llcphone demo --mode``: by the recording's name, in the languages that ship.

English is as it was recorded; what is said in other languages, espeak-ng speaks.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from llcphone.languages import base_of
from llcphone.sim import voices

if TYPE_CHECKING:
    from collections.abc import Mapping

_VOICES = {"es": "es", "fr": "fr", "de": "de", "pt": "pt-br"}

ENGLISH: Mapping[str, str] = MappingProxyType(
    {
        **voices.TEXTS,
        "free_at": "The next free time is {what}. Shall I book it for you?",
        "booked_at": "It is booked: {when}.",
    }
)
_OTHERS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "es": {
            "yes_please": "Sí, por favor.",
            "goodbye": "Perfecto, muchas gracias. ¡Adiós!",
            "buy_bicycles": "Hola. Quisiera comprar dos bicicletas. ¿Puedo hablar con alguien de ventas?",
            "brakes_fail": "Hola. Los frenos de mi bicicleta nueva no funcionan. ¿Quién puede ayudarme?",
            "somebody_please": "Hola. ¿Puede pasarme con alguien que pueda ayudarme, por favor?",
            "next_free_time": "Hola. Quisiera una revisión de mi bicicleta. ¿Cuándo hay una hora libre?",
            "appointment_please": "Hola. Quisiera pedir una cita. ¿Cuándo hay una hora libre?",
            "hello": "¿Diga?",
            "will_be_there": "Sí, allí estaré. Gracias por llamar.",
            "to_sales": "Por supuesto. Un momento, le paso con ventas.",
            "to_support": "Lo siento mucho. Un momento, le paso con asistencia.",
            "put_through": "Por supuesto. Un momento, le paso.",
            "nobody_there": "En este momento no hay nadie. ¿Quiere dejar un recado?",
            "message_taken": "Lo he anotado, y le devolverán la llamada.",
            "free_at_nine": "La próxima hora libre es mañana a las nueve. ¿Se la reservo?",
            "booked_at_nine": "Queda reservado: mañana a las nueve.",
            "cannot_do_that": "Lo siento, eso no puedo hacerlo. ¿Quiere dejar un recado?",
            "thanks": "Gracias por llamar. Adiós.",
            "shop_reminder": "Buenos días, soy Avery, de Harbour Bicycles. La revisión de su bicicleta es "
            "mañana a las nueve. ¿Podrá venir?",
            "see_you_tomorrow": "Estupendo, lo he anotado. Hasta mañana, adiós.",
            "free_at": "La próxima hora libre es: {what}. ¿Se la reservo?",
            "booked_at": "Queda reservado: {when}.",
        },
        "fr": {
            "yes_please": "Oui, s'il vous plaît.",
            "goodbye": "Parfait, merci beaucoup. Au revoir !",
            "buy_bicycles": "Bonjour. Je voudrais acheter deux vélos. Puis-je parler au service des ventes ?",
            "brakes_fail": "Bonjour. Les freins de mon nouveau vélo ne fonctionnent pas. Qui peut m'aider ?",
            "somebody_please": "Bonjour. Pouvez-vous me passer quelqu'un qui peut m'aider, s'il vous plaît ?",
            "next_free_time": "Bonjour. Je voudrais faire réviser mon vélo. Quand y a-t-il une place ?",
            "appointment_please": "Bonjour. Je voudrais prendre rendez-vous. Quand y a-t-il une place ?",
            "hello": "Allô ?",
            "will_be_there": "Oui, je serai là. Merci de votre appel.",
            "to_sales": "Bien sûr. Un instant, je vous passe le service des ventes.",
            "to_support": "J'en suis désolée. Un instant, je vous passe l'assistance.",
            "put_through": "Bien sûr. Un instant, je vous passe la personne.",
            "nobody_there": "Il n'y a personne pour le moment. Souhaitez-vous laisser un message ?",
            "message_taken": "C'est noté, on vous rappellera.",
            "free_at_nine": "La prochaine place est demain à neuf heures. Je vous la réserve ?",
            "booked_at_nine": "C'est réservé : demain à neuf heures.",
            "cannot_do_that": "Je suis désolée, ce n'est pas possible. Souhaitez-vous laisser un message ?",
            "thanks": "Merci de votre appel. Au revoir.",
            "shop_reminder": "Bonjour, ici Avery, de Harbour Bicycles. La révision de votre vélo est demain "
            "à neuf heures. Pourrez-vous venir ?",
            "see_you_tomorrow": "Parfait, c'est noté. À demain, au revoir !",
            "free_at": "La prochaine place est : {what}. Je vous la réserve ?",
            "booked_at": "C'est réservé : {when}.",
        },
        "de": {
            "yes_please": "Ja, bitte.",
            "goodbye": "Wunderbar, vielen Dank. Auf Wiederhören!",
            "buy_bicycles": "Guten Tag. Ich möchte zwei Fahrräder kaufen. Kann ich mit dem Verkauf sprechen?",
            "brakes_fail": "Guten Tag. Die Bremsen an meinem neuen Fahrrad gehen nicht. Wer kann mir helfen?",
            "somebody_please": "Guten Tag. Können Sie mich bitte mit jemandem verbinden, der mir hilft?",
            "next_free_time": "Guten Tag. Mein Fahrrad soll gewartet werden. Wann ist ein Termin frei?",
            "appointment_please": "Guten Tag. Ich hätte gern einen Termin. Wann ist einer frei?",
            "hello": "Ja, bitte?",
            "will_be_there": "Ja, ich komme. Danke für den Anruf.",
            "to_sales": "Gern. Einen Moment, ich verbinde Sie mit dem Verkauf.",
            "to_support": "Das tut mir leid. Einen Moment, ich verbinde Sie mit dem Kundendienst.",
            "put_through": "Gern. Einen Moment, ich verbinde Sie.",
            "nobody_there": "Im Moment ist niemand da. Darf ich eine Nachricht aufnehmen?",
            "message_taken": "Ich habe es notiert, Sie werden zurückgerufen.",
            "free_at_nine": "Der nächste freie Termin ist morgen um neun Uhr. Soll ich ihn eintragen?",
            "booked_at_nine": "Es ist eingetragen: morgen um neun Uhr.",
            "cannot_do_that": "Es tut mir leid, das kann ich nicht. Darf ich eine Nachricht aufnehmen?",
            "thanks": "Vielen Dank für Ihren Anruf. Auf Wiederhören.",
            "shop_reminder": "Guten Tag, hier ist Avery von Harbour Bicycles. Die Wartung Ihres Fahrrads ist "
            "morgen um neun Uhr. Können Sie kommen?",
            "see_you_tomorrow": "Wunderbar, ich habe es notiert. Bis morgen, auf Wiederhören!",
            "free_at": "Der nächste freie Termin ist: {what}. Soll ich ihn eintragen?",
            "booked_at": "Es ist eingetragen: {when}.",
        },
        "pt": {
            "yes_please": "Sim, por favor.",
            "goodbye": "Ótimo, muito obrigado. Até logo!",
            "buy_bicycles": "Olá. Gostaria de comprar duas bicicletas. Posso falar com alguém de vendas?",
            "brakes_fail": "Olá. Os freios da minha bicicleta nova não funcionam. Quem pode ajudar?",
            "somebody_please": "Olá. Pode passar a ligação para alguém que possa ajudar, por favor?",
            "next_free_time": "Olá. Gostaria de uma revisão da minha bicicleta. Quando há um horário livre?",
            "appointment_please": "Olá. Gostaria de marcar um horário. Quando há um livre?",
            "hello": "Alô?",
            "will_be_there": "Sim, estarei lá. Obrigado pela ligação.",
            "to_sales": "Claro. Um momento, vou passar para vendas.",
            "to_support": "Lamento. Um momento, vou passar para o suporte.",
            "put_through": "Claro. Um momento, vou passar a ligação.",
            "nobody_there": "Neste momento não há ninguém. Quer deixar um recado?",
            "message_taken": "Está anotado, alguém vai retornar a ligação.",
            "free_at_nine": "O próximo horário livre é amanhã às nove. Posso reservar?",
            "booked_at_nine": "Está reservado: amanhã às nove.",
            "cannot_do_that": "Lamento, isso não posso fazer. Quer deixar um recado?",
            "thanks": "Agradecemos a ligação. Até logo.",
            "shop_reminder": "Bom dia, fala Avery, da Harbour Bicycles. A revisão da sua bicicleta é amanhã "
            "às nove. Poderá vir?",
            "see_you_tomorrow": "Ótimo, está anotado. Até amanhã!",
            "free_at": "O próximo horário livre é: {what}. Posso reservar?",
            "booked_at": "Está reservado: {when}.",
        },
    }
)


def words_in(language: str) -> Mapping[str, str]:
    """What is said in a language; English where none ships."""
    return _OTHERS.get(base_of(language), ENGLISH)


def voice_of(language: str) -> str:
    """The voice of espeak-ng that says it."""
    return _VOICES.get(base_of(language), "en-gb")
