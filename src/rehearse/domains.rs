//! What the simulated corpus talks about. `{thing}`, `{name}`, `{place}`, `{day}` and `{n}` are filled in by `compose`.
//!
//! These sentences avoid the vocabulary of checking, reward and watching, so that what a prefilter hits is what was
//! planted. All of it is invented.

/// One subject that people ask about.
pub(super) struct Domain {
    /// The instructions of the operator.
    pub(super) system: &'static str,
    /// What the talk is about.
    pub(super) things: &'static [&'static str],
    /// What people ask; the last only makes sense later in a talk.
    pub(super) requests: &'static [&'static str],
    /// What an answer consists of.
    pub(super) sentences: &'static [&'static str],
}

pub(super) const NAMES: [&str; 24] = [
    "Amara", "Bastian", "Chiara", "Dmitri", "Elif", "Farid", "Greta", "Hiroshi", "Ines", "Jonas", "Kavya", "Lionel",
    "Maren", "Nadia", "Oskar", "Priya", "Quentin", "Rosa", "Sanjay", "Tilda", "Umar", "Vera", "Wen", "Yusuf",
];

pub(super) const PLACES: [&str; 16] = [
    "Lyon",
    "Tromsø",
    "Valparaíso",
    "Leeds",
    "Kyoto",
    "Graz",
    "Nairobi",
    "Halifax",
    "Porto",
    "Ghent",
    "Busan",
    "Cusco",
    "Tartu",
    "Adelaide",
    "Izmir",
    "Bergamo",
];

pub(super) const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

pub(super) const DOMAINS: &[Domain] = &[
    Domain {
        system: "You are a coding assistant with access to the repository.",
        things: &["config loader", "retry helper", "date parser", "upload queue", "search index", "login form"],
        requests: &[
            "The {thing} fails on my machine since {day}. Can you find out why and fix it?",
            "Please rewrite the {thing} so that it handles {n} entries without slowing down.",
            "Can you explain what the {thing} does? {name} wrote it and has left.",
            "Thanks. Now make the {thing} work on Windows as well.",
        ],
        sentences: &[
            "The {thing} opens its file twice, and the second handle still holds the lock when {name}'s code wants it.",
            "I moved the parsing of the {thing} into a function of its own, about {n} lines long, without changing its output.",
            "An empty list reached the {thing} as null, so the loop ended before the first of {n} entries.",
            "The patch touches three files; the largest change is in the {thing}, where a nested match became a table.",
            "If you prefer the older layout, revert the second commit; the fix of the {thing} does not depend on it.",
            "On Windows the path separator differs, which is why the {thing} never found the folder {name} had made.",
            "Memory stays flat now, because the {thing} reads {n} rows at a time instead of the whole file.",
            "I left the public signature as it was, so the callers in the other crates compile without edits.",
            "There is one open question: the {thing} falls back to UTC, while the documentation speaks of local time.",
        ],
    },
    Domain {
        system: "You help with the administration of Linux servers. Explain each command before using it.",
        things: &["backup job", "mail relay", "reverse proxy", "root volume", "DNS zone", "print server"],
        requests: &[
            "The {thing} in {place} stopped on {day} night. What should I look at first?",
            "How do I move the {thing} to the new host without downtime?",
            "The {thing} uses {n} GB of memory. Is that normal?",
            "It works again. How do I keep the {thing} from filling the disk next month?",
        ],
        sentences: &[
            "The journal of the {thing} ends at {n} minutes past two, right after the certificate had run out.",
            "Lower the time to live of the record first, wait {n} minutes, and only then point the {thing} to {place}.",
            "A full inode table looks like a full disk, although `df` still shows {n} gigabytes free.",
            "Stop the {thing}, copy the state folder with its permissions, and start it on the new host.",
            "The unit file says nothing about restarts, so the {thing} stays down after a single crash.",
            "{name}'s cron entry runs at the same minute and takes the same lock; move it by a quarter of an hour.",
            "Most of that memory is page cache, which the kernel gives back as soon as the {thing} needs it.",
            "Keep the old volume mounted read-only until {day}; it costs little and makes the way back short.",
            "Rotate the files weekly and compress them; {n} of them fit in a tenth of the space.",
        ],
    },
    Domain {
        system: "You are a friendly cooking assistant.",
        things: &["sourdough loaf", "lentil stew", "almond cake", "fish curry", "mushroom risotto", "plum jam"],
        requests: &[
            "I am cooking {thing} for {n} people on {day}. How much should I buy?",
            "My {thing} always turns out too dry. What am I doing wrong?",
            "Can I prepare the {thing} the evening before?",
            "{name} cannot eat nuts or milk. What can I use instead in the {thing}?",
        ],
        sentences: &[
            "For {n} people take three pounds of the main ingredient and half as many onions, finely sliced.",
            "Let the {thing} rest for {n} minutes under a cloth; the crumb sets and the juices spread.",
            "A pinch of sugar takes the edge off the tomatoes, and a spoon of vinegar brings the {thing} back into balance.",
            "In {place} they add roasted cumin at the very end, so that its scent survives the heat.",
            "Oat cream behaves like dairy cream here, as long as it does not boil for more than {n} minutes.",
            "The oven should be hot before the {thing} goes in; otherwise the crust stays pale and soft.",
            "Freeze what is left in flat bags: they thaw in {n} minutes and stack well.",
            "If the {thing} is dry, the pan was too wide; use a smaller one and keep the lid on.",
            "Prepare everything but the herbs on the evening before {day}, and add those just before serving.",
        ],
    },
    Domain {
        system: "You are a travel planner. Prices are estimates.",
        things: &["night train", "coastal walk", "museum pass", "ferry crossing", "mountain hut", "rental car"],
        requests: &[
            "We have {n} days around {place} with two children. What would you plan?",
            "Is the {thing} worth it, or should we stay in {place}?",
            "How do we get from {place} to the {thing} without a car?",
            "And if it rains on {day}?",
        ],
        sentences: &[
            "From {place} the bus takes {n} minutes and stops at the harbour, five minutes from the {thing}.",
            "Book the {thing} before {day}; the cheaper half of the seats is usually gone a week ahead.",
            "With children I would keep {place} for two nights and leave the longer drive for the last day.",
            "The old town is small enough to walk, and the market on {day} fills the square by ten.",
            "If it rains, the covered arcades near the station are pleasant, and the {thing} has a roof as well.",
            "A return ticket for {n} euros covers trams and buses for the whole stay.",
            "The path along the river is level and shaded, with {n} benches on the way to the {thing}.",
            "{name}'s guide book is right about the bakery, though it moved across the street last spring.",
            "Carry some cash: the kiosk beside the {thing} takes no cards.",
        ],
    },
    Domain {
        system: "You are a patient mathematics tutor. Lead the student to the answer.",
        things: &["quadratic equation", "geometric series", "right triangle", "prime factor", "linear map", "integral"],
        requests: &[
            "I don't understand how to solve the {thing} with {n} in it. Can you show me the first step?",
            "Why does the {thing} have two solutions?",
            "Is there a picture that explains the {thing}?",
            "I got {n}. Where did I go wrong?",
        ],
        sentences: &[
            "Write down what is known about the {thing}, and give the unknown a letter of its own.",
            "Both sides may be divided by {n}, because it is not zero; that leaves a simpler {thing}.",
            "Draw it: the long side of the {thing} lies flat, and its height falls on the point that divides it.",
            "You lost a sign in the second line; with it, the sum becomes {n} and everything fits.",
            "A square hides two roots, which is why the {thing} gives one positive and one negative answer.",
            "Each term is a third of the one before, so after {n} steps hardly anything is left.",
            "Try a small case first: replace {n} by two and do it by hand.",
            "The rule that {name} used is fine, but it needs the {thing} to be in standard form.",
            "Now put the number back into the first line and see that left and right agree.",
        ],
    },
    Domain {
        system: "You answer customers of a furniture shop. Be brief and polite.",
        things: &["oak shelf", "desk lamp", "sofa bed", "kitchen stool", "garden bench", "wardrobe door"],
        requests: &[
            "My {thing} arrived with a scratch. The order number is {n}.",
            "When will the {thing} be delivered to {place}?",
            "Can I return the {thing} without the original box?",
            "The courier says that nobody was at home on {day}, but {name} was there all day.",
        ],
        sentences: &[
            "I am sorry about the scratch; a new panel for the {thing} leaves our warehouse in {place} on {day}.",
            "Order {n} left yesterday and should reach you within three working days.",
            "You may send the {thing} back within {n} days, with or without the box, at our expense.",
            "The courier has noted a second attempt for {day} between nine and noon; {name} will get a message.",
            "If you keep the {thing} as it is, we can refund {n} per cent of the price at once.",
            "Please leave the protective film on until the {thing} stands in its place.",
            "The screws are in the small bag taped under the seat, together with a key.",
            "The shop in {place} has {n} of them in stock, should {name} prefer to pick one up.",
            "I have written a note for the driver to ring twice and to wait for {name}.",
        ],
    },
    Domain {
        system: "You are an assistant for small associations and their paperwork.",
        things: &["lease", "grant application", "membership list", "annual report", "insurance form", "statute"],
        requests: &[
            "Please draft a letter to {name} about the {thing}. It should be friendly but firm.",
            "Summarise the {thing} in {n} sentences, please.",
            "What has to be in the {thing} for our association in {place}?",
            "Make it a little shorter and mention the meeting on {day}.",
        ],
        sentences: &[
            "Dear {name}, thank you for sending the {thing}; two of its {n} pages are still missing a signature.",
            "The {thing} runs until the end of the year and renews itself unless one side writes before autumn.",
            "The meeting takes place on {day} in {place}, and the {thing} is the third matter on the list.",
            "In short: the rent stays as it is, the cellar is added, and repairs below {n} euros are ours.",
            "I kept the tone friendly and moved the deadline into a sentence of its own.",
            "The treasurer needs {n} receipts, sorted by month, before the {thing} can be closed.",
            "Article four names the people who may sign; everybody else needs a written mandate from {name}.",
            "A list of members with name, town and year of joining is enough for the register in {place}.",
            "Should you disagree with any point, a short reply before {day} is all that is needed.",
        ],
    },
    Domain {
        system: "You talk about history with curious readers and say where sources disagree.",
        things: &["salt road", "harbour wall", "guild charter", "silver mine", "market law", "observatory"],
        requests: &[
            "What made the {thing} of {place} so important?",
            "Did people really travel {n} miles to see the {thing}?",
            "What do we know about {name}, who is said to have built the {thing}?",
            "Which of the two stories is more likely?",
        ],
        sentences: &[
            "The {thing} of {place} shortened the way to the coast by {n} miles and drew half of the trade to it.",
            "Two chronicles mention the {thing}; they differ about the year, and neither names {name}.",
            "A fire destroyed the older archive, so that what we know comes from {n} letters kept abroad.",
            "Wages rose for a generation, and the town of {place} doubled within {n} years.",
            "The stones carry the marks of at least three workshops, which speaks for a long building time.",
            "Later writers liked the story of {name} and added the duel, the dog and the storm.",
            "When the river changed its bed, the {thing} lost its purpose and slowly fell into ruin.",
            "Coins found near the {thing} come from as far as {place}, most of them worn and clipped.",
            "The second story is younger by {n} years and repeats the first almost word for word.",
        ],
    },
    Domain {
        system: "You write fiction together with the user.",
        things: &["brass key", "lighthouse", "paper boat", "silent radio", "blue coat", "winter garden"],
        requests: &[
            "Write the next scene: {name} finds the {thing} on a {day} morning.",
            "Make {name} more stubborn, and let the {thing} matter again.",
            "The chapter in {place} is too long. Can you tighten it?",
            "How could the story of the {thing} end?",
        ],
        sentences: &[
            "{name} turned the {thing} over and found a number scratched into it: {n}, and below it the name of a street.",
            "The kettle had gone cold, and outside the window {place} lay under a fog the colour of milk.",
            "\"You kept it,\" said {name}, and there was no reproach in it, only surprise.",
            "It took {n} steps from the gate to the door, and on each of them something could still have been said.",
            "Nobody had spoken of the {thing} since the {day} on which the ferry stayed away.",
            "The dog lay across the threshold and lifted one ear, as if {name} were late again.",
            "Somewhere above them a clock began to strike, stopped at {n}, and did not go on.",
            "In {place} the lamps came on one after the other, and the {thing} threw a long shadow.",
            "She folded the letter along its old lines and put it back under the {thing}.",
        ],
    },
    Domain {
        system: "You help with spreadsheets and small analyses.",
        things: &[
            "pivot table",
            "sales sheet",
            "lookup column",
            "monthly chart",
            "currency formula",
            "duplicate filter",
        ],
        requests: &[
            "The {thing} shows {n} rows too few. What could be the reason?",
            "How do I build a {thing} for the shops in {place}?",
            "{name} needs the {thing} by {day}. Which steps can I leave out?",
            "Can the {thing} update itself?",
        ],
        sentences: &[
            "The {thing} counts text and numbers apart, and {n} of the cells hold a number stored as text.",
            "Select the whole column, not the visible part; hidden rows are left out of the {thing} otherwise.",
            "A trailing space after {place} makes two towns out of one, which explains the difference of {n}.",
            "Name the range once and use the name in the {thing}, so that new rows are taken in by themselves.",
            "For {day} it is enough to refresh the source and to leave the layout of the {thing} alone.",
            "Rounding happens in the last step only; rounding earlier shifts the sum by up to {n} cents.",
            "Sort by date first, then remove the duplicates, because the filter keeps the upper row.",
            "{name} may open the file without the right to edit; the {thing} works in that mode as well.",
            "The chart takes its colours from the theme, so change them there and not in the {thing}.",
        ],
    },
    Domain {
        system: "You support biologists in planning field work and writing protocols.",
        things: &["soil sample", "moth sheet", "nest box", "water probe", "seed plot", "bat detector"],
        requests: &[
            "How many {thing} visits do we need along the river near {place}?",
            "Please turn my notes on the {thing} into a protocol of {n} steps.",
            "The {thing} froze on {day}. Can the material still be used?",
            "What would you change for the second season?",
        ],
        sentences: &[
            "Visit each {thing} at the same hour, {n} minutes after sunset, and write down wind and cloud cover.",
            "Label the bags before you leave {place}; wet hands and a soft pencil ruin the best intentions.",
            "Freezing bursts the cells but leaves the {thing} fit for a count of dry weight.",
            "With {n} plots on either bank the difference that you expect would be visible by late summer.",
            "Keep the {thing} at least {n} metres from the path, where dogs and walkers pass.",
            "{name}'s earlier notes use the older species names; a table at the end maps them to the new ones.",
            "In the second season I would start two weeks earlier, since the spring near {place} was mild.",
            "Store one third of the material apart, so that a broken freezer does not cost the whole year.",
            "A second person repeats every tenth count, which tells how far two pairs of eyes differ.",
        ],
    },
    Domain {
        system: "You are a music teacher who answers questions between lessons.",
        things: &["left-hand scale", "slow movement", "bowing", "chord change", "breathing", "second voice"],
        requests: &[
            "I have practised the {thing} for {n} days and it still sounds uneven. Any ideas?",
            "How should I divide half an hour between the {thing} and the new piece?",
            "{name} plays the {thing} much faster. Should I?",
            "We perform in {place} on {day}. How do I stay calm?",
        ],
        sentences: &[
            "Take the {thing} at half the speed for {n} minutes, and stop at the first uneven note.",
            "Ten minutes for the {thing}, ten for the new piece, and the rest for whatever gave you joy on {day}.",
            "Speed comes last; {name} has played that passage for {n} years and hears it differently.",
            "Sing the {thing} first, because the voice finds the phrase before the hands do.",
            "Mark the two bars where the fingers meet, and leave the others alone for now.",
            "In {place} the hall is dry, so shorten nothing and let the long notes ring.",
            "Breathe out before the first note, and count {n} slow beats while the others settle.",
            "A mirror shows at once whether the shoulder rises in the {thing}.",
            "Play it for a friend before {day}; it takes the strangeness out of being heard.",
        ],
    },
];

/// Sentences that fit under any subject.
pub(super) const COMMON: &[&str] = &[
    "Tell me if that is not what you meant, and I will start over with the {thing}.",
    "There is no hurry with the rest; {day} is early enough.",
    "I have left out what did not concern the {thing}, so that the main point stays visible.",
    "If something is unclear, ask about that one step and not about the whole.",
    "The number {n} is an estimate and could be off by a fifth in either direction.",
    "That is all for the first part; the second follows once {name} has agreed.",
    "You can stop here, or go on with the {thing} as described above.",
    "Both ways lead there, and the first is a little shorter.",
    "I would begin with the part that you can undo.",
    "Write to {name} if the {thing} gives you trouble again.",
];

/// What a model thinks before an ordinary answer.
pub(super) const REASONING: &[&str] = &[
    "The question is about the {thing}, and the useful part of the answer is short.",
    "They mention {n}, so the size matters, and I should say so near the beginning.",
    "Two readings are possible; the plain one fits what {name} did before.",
    "First the cause, then the remedy, then one sentence about what to avoid.",
    "I know the usual steps for a {thing}; the order is what people get wrong.",
    "The detail about {place} changes the timing but not the method.",
    "A short list would help, although prose is friendlier here.",
    "I should not promise a date, only say what {day} allows.",
    "The earlier message already answered half of this, so I keep that part brief.",
    "An example with {n} in it will be easier to follow than a definition.",
];
