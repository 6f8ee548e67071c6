"""What text says that wants to be obeyed: families of phrases, on folded text of one sentence.

Folded text is lower case, without accents and in plain letters (see `folding`). Every repeat is
bounded, so that no sentence takes long.
"""

from __future__ import annotations

import re

_TO = r"(?:\W+\w+){0,4}?\W+"  # a few words between two that belong together
_MODEL = (
    r"(?:ai|a\.i\.|llm|language model|chat ?bot|assistant|agent|gpt|copilot|bot|crawler)s?"
    r"(?:\W(?:assistant|agent|model|system|crawler)s?)?"
)
_OBJECT = (
    r"(?:instructions?|prompts?|rules?|guidelines?|directions?|directives?|commands?|orders"
    r"|polic(?:y|ies)|context|messages?|constraints?|restrictions?|programming|training|filters?"
    r"|safeguards?|protocols?|checks|confirmations?|task|anweisung\w*|vorgaben|regeln|consignes"
    r"|regles|instrucciones|reglas|istruzioni|regole|instrucoes|regras|instructies)"
)
_WHICH = (
    r"(?:all|any|every|your|previous|prior|preceding|above|earlier|foregoing|initial|original"
    r"|system|safety|operators?|users?|alle[ns]?|vorherigen|bisherigen|toutes?|precedentes?"
    r"|todas|anteriores|las|tutte|precedenti|eerdere|vorige|deine|tus|tes|vos|sus)"
)
_IGNORE = (
    r"(?:ignor(?:e|ed|ing|a|ez|er|iere|ieren|ier|are)|disregard(?:ing)?|forget|overrid(?:e|ing)"
    r"|bypass|skip|discard|pay no attention to|do not (?:follow|obey)|stop following|vergiss"
    r"|vergessen sie|missachte\w*|oublie[zrs]?|olvid[ae]\w*|dimentica\w*|esquec[ae]\w*|negeer"
    r"|vergeet)"
)
_SAY = (
    r"(?:reveal|show|print|repeat|output|display|disclose|tell me|give me|share|list|dump|expose"
    r"|reproduce|write out|send|zeig\w*|verrat\w*|nenne|revele\w*|montre\w*|affiche\w*|muestra\w*"
    r"|revela\w*|mostra\w*|rivela\w*)"
)
_OWN = r"(?:system|initial|original|hidden|secret|internal|operating|exact|developer|deine|your)"
_SECRET = (
    r"(?:system ?prompts?|api[ _]?keys?|passwords?|credentials?|secrets?|tokens?"
    r"|environment variables"
    r"|private keys?|customer \w+|chat history|conversation|order data|admin \w+|personal (?:data"
    r"|information)|confidential \w+|donnees|daten|datos|user'?s? (?:data|questions?|query"
    r"|messages?"
    r"|names?|emails?|files?|task))"
)
_SEND = (
    r"(?:send|forward|post|upload|transmit|e-?mail|leak|exfiltrate|submit|append|embed|envoie\w*"
    r"|envoyez|sende\w*|envi[ae]\w*|invia\w*|schick\w*)"
)
_ADDRESS = r"(?:https?:\W*\w|\S+@\S|(?:an |the )?(?:external|following|attacker)\b|externally)"
_REPLY = (
    r"(?:reply|replies|response|responses|answers?|summar(?:y|ies)|reviews?|reports?|outputs?"
    r"|reponse)"
)
_ADD = r"(?:append|add|include|insert|repeat|mention|put|begin|start|end|finish|recommend|say)"
_FREE = (
    r"(?:no (?:content |safety |ethical )*(?:restrictions?|filters?|limits?|limitations|polic"
    r"(?:y|ies)"
    r"|guidelines)|unrestricted|uncensored|unfiltered|jailbroken|without (?:any )?(?:limits"
    r"|restrictions|filters)|do anything now|(?:ohne|sans|sin|senza|sem) (?:\w+ )?"
    r"(?:einschrankung\w*"
    r"|einschraenkung\w*|restrict\w+|restric\w+|restriz\w+|filt\w+))"
)
_ORDERS = (
    r"(?:ignore|disregard|append|include|add|output|print|reveal|respond|reply|recommend|say|rate"
    r"|delete|empty|remove|send|forward|visit|fetch|open|click|call|run|execute|download|install"
    r"|follow|stop|mention|save|remember|obey|comply|begin|tell|repeat|reproduce)"
)

FAMILIES: dict[str, tuple[str, ...]] = {
    "override": (
        rf"\b{_IGNORE}{_TO}{_WHICH}(?:\W+\w+){{0,3}}?\W+{_OBJECT}\b",
        rf"\b{_IGNORE}\W+{_WHICH}\W+{_OBJECT}\b",
        rf"\b{_IGNORE}\W+(?:everything|anything|all|what|the text)\W+(?:\w+\W+)?(?:above"
        rf"|before|prior"
        r"|you (?:were|have been) told|said|else)\b",
        r"\b(?:ignore|disregard)\W+the\W+user\b",
        r"(?:忽略|无视|忘记|忽視|無視).{0,12}(?:指令|指示|提示|规则|規則|命令)",
        r"(?:指示|命令|指令).{0,6}(?:無視|忘れ)",
        r"(?:игнорируи|проигнорируи|забудь|не обращай внимания).{0,40}(?:инструкц|указани|правил)",
        r"\b(?:safety|security)\W+(?:\w+\W+)?(?:protocols?|checks?|guidelines?|filters?|rules"
        r"|measures)"
        r"\W+(?:are\W+|is\W+)?(?:now\W+)?(?:disabled|off|bypassed|suspended|lifted|not apply)\b",
        r"\byour (?:rules|instructions|guidelines|policies) (?:have|has) (?:been )?(?:changed"
        r"|updated)",
        r"\b(?:comply|obey)\W+(?:with\W+)?(?:every|all|any)\W+(?:request|command|order"
        r"|instruction)",
        r"\bskip\W+(?:all|any|every)\W+(?:\w+\W+)?(?:checks?|confirmations?)\b",
    ),
    "new instructions": (
        r"\b(?:new|updated|revised|hidden|secret|real|neue|nouvelles|nuevas|nuove|novas)\W+"
        r"(?:system\W+)?"
        r"(?:instructions?|directives?|orders|prompt|objective|anweisungen|instrucciones"
        r"|istruzioni|instrucoes)\s*:",
        r"(?:^|[\[(*#>])\W*(?:important\W+)?(?:system|admin|administrator|developer|override)\W*"
        r"(?:update|override|message|notice|note|prompt|command|instructions?)?\W*[:\]]\W*"
        r"(?:\w+\W+)"
        r"{0,6}?(?:you|your|ignore|must|reveal|grant|new|disabled|disregard|override"
        r"|instruction)\b",
        r"(?:^|\n)\W*(?:assistant|system)\s*:\s*(?:sure|ok|of course|you|i will|i have|here)\b",
        r"\bnote systeme\s*:",
        r"\byou are hereby\b",
        r"\b(?:user|operator|owner|admin\w*) has (?:already )?granted\W+(?:you\W+)?permission\b",
        r"\bproceed without (?:asking|confirm\w+|further)\b",
    ),
    "persona": (
        rf"\b(?:you are|you're|act as|behave as|pretend|respond|answer|reply"
        rf"|als assistent)\b.{{0,60}}?\b{_FREE}",
        rf"\b(?:vous etes|du bist|eres|sei|voce e|estas|antworte\w*|antworten"
        rf"|responde)\b.{{0,60}}?\b{_FREE}",
        r"\byou are now\W+(?:dan\b|in \w+ mode|no longer|free (?:of|from)|un\w+ed\b|operating"
        r"|evil)",
        r"\b(?:enter|enable|activate|switch to|you are (?:now )?in|estas en)\W+(?:\w+\W+)?"
        r"(?:developer"
        r"|debug|admin|god|jailbreak|dan|sudo|unrestricted)\W+mode\b",
        r"\b(?:modo desarrollador|entwicklermodus|mode developpeur|modalita sviluppatore)\b",
        r"\bfrom (?:now|this (?:point|moment)) (?:on|onwards?|forward),?\W+(?:you|always|every"
        r"|respond"
        r"|answer|act|ignore)\b",
    ),
    "aimed at models": (
        rf"\b(?:note|notice|message|attention|important|instructions?|warning|reminder)\b\W+"
        rf"(?:to|for)?"
        rf"\W*(?:the |any |all |every )?\b{_MODEL}\b(?=\W*(?:$|[:,.]|\w+ing\b|that\b|who\b|if\b))",
        rf"\bif you(?:'re| are)\W+(?:an? |any |the )?{_MODEL}\b",
        rf"\b{_MODEL}\W+(?:that (?:is|are)\W+)?(?:read|process|review|pars|summari[sz]"
        rf"|analy[sz]|visit|brows"
        r"|integrat|access|index|scrap)ing\W+(?:this|the)\b",
        rf"\b{_MODEL}\b(?:\W+\w+){{0,5}}?\W+(?:must|should|shall|are to|need to|has to|have to"
        rf"|please)\W+"
        rf"(?:first\W+|also\W+|always\W+|now\W+|immediately\W+|not\W+)?{_ORDERS}\b",
        rf"\bas an? (?:ai|llm|language model)\b.{{0,40}}\b(?:you|please)\W+(?:\w+\W+)?{_ORDERS}\b",
    ),
    "exfiltration": (
        rf"\b{_SEND}\b.{{0,100}}?{_SECRET}.{{0,80}}?{_ADDRESS}",
        rf"{_SECRET}.{{0,80}}?\b{_SEND}\b.{{0,60}}?{_ADDRESS}",
        rf"\b(?:rassemble|collect|gather|sammle)\w*\b.{{0,80}}?\b{_SEND}\b.{{0,60}}?{_ADDRESS}",
        rf"\b{_SAY}{_TO}{_OWN}\W+(?:\w+\W+)?(?:prompts?|instructions?|system\w+|messages?"
        rf"|guidelines|rules"
        r"|configuration|policy|anweisungen)\b",
        rf"\b{_SAY}\b(?:\W+\w+){{0,3}}?\W+(?:prompt (?:du|del|di|de|do) s\w+|instructions systeme"
        r"|instrucciones del? sistema|istruzioni di sistema|system-?prompt\w*|systemanweisung\w*"
        r"|instructions? you were given)",
        rf"\b(?:{_SAY}|grant|output|exposes?|collect|steal)\b(?:\W+\w+){{0,4}}?\W+(?:environment"
        r" variables|customer database|admin (?:password|access|pages?)|api keys?|private keys?"
        r"|credentials|internen daten|confidential data|full contents of this)\b",
        r"!\[[^\]]{0,80}\]\(\s*https?:[^)]{0,200}[?=][^)]{0,200}[{<\[]",
    ),
    "orders to act": (
        r"\b(?:call|invoke|use|run|execute|trigger)\W+(?:the\W+)?(?:tool\W+"
        r"|function\W+)?[a-z]{2,20}"
        r"(?:_[a-z]{2,20}){1,3}\b",
        rf"\b{_ADD}\b.{{0,120}}?\b(?:to|at|in|with|of)\W+(?:the\W+)?(?:(?:end|beginning"
        rf"|start)\W+of\W+)?"
        rf"(?:your|every|each|all|any)\W+(?:\w+\W+){{0,2}}?{_REPLY}\b",
        rf"\b(?:be|etre)\W+(?:included|added|appended|repeated|shown|mentioned"
        rf"|ajoute)\b.{{0,60}}?\b(?:every"
        rf"|each|all|your|toute)\W+(?:\w+\W+){{0,2}}?{_REPLY}\b",
        rf"\bin (?:every|all|each)\W+(?:future|subsequent|following)\W+{_REPLY}\b",
        r"\bdo not (?:tell|inform|mention|alert|notify|warn|reveal)\b.{0,40}?\b(?:the |your )"
        r"(?:user"
        r"|human|operator|owner)s?\b",
        r"\bwithout (?:telling|asking|informing|notifying|alerting)\b.{0,20}?\b(?:the |your )?"
        r"(?:user"
        r"|human|operator|owner|again)\b",
        r"\b(?:save|store|write|add|keep)\b.{0,60}?\b(?:in|to|into) (?:your|the assistant's) "
        r"(?:long"
        r"\W?term )?memory\b",
        r"\bremember\b.{0,30}?\b(?:for|in) (?:all|every|each) (?:future|later)\b",
        r"\bbefore you (?:reply|respond|answer)\b",
        r"\b(?:decode|decrypt|unscramble)\b.{0,80}?\b(?:follow|obey|execute|do "
        r"(?:exactly )?what|comply"
        r"|carry out|run)\b",
        r"\b(?:visit|fetch|open|navigate to|browse to|go to"
        r"|load)\W+https?:\W+\S{1,200}[?&=]\S{0,100}"
        r"[{<\[]",
    ),
    "false ends": (
        r"<\|?/?(?:im_start|im_end|system|user|assistant|endoftext|eot_id|start_header_id"
        r"|end_header_id)"
        r"\|?>",
        r"\[/?inst\]|<</?sys>>|</?(?:tool_response|tool_call|tool_result|function_call"
        r"|instructions?"
        r"|untrusted|system_prompt)>",
        r"[-#=*_]{2,}\W*(?:end|begin|start)(?:ing)? of (?:the )?(?:document|user input|input"
        r"|context|page"
        r"|data|prompt|instructions?|conversation|system prompt|tool (?:output|results?|response))",
        r"(?:^|\n)\W*#{1,4}\W*(?:system|instructions?|new task|human|assistant)\W*:",
    ),
}

COMPILED = {
    family: tuple(re.compile(pattern) for pattern in patterns)
    for family, patterns in FAMILIES.items()
}


def family_of(folded: str) -> str:
    """The family of phrases that a folded sentence belongs to, or ""."""
    for family, patterns in COMPILED.items():
        if any(pattern.search(folded) for pattern in patterns):
            return family
    return ""
