/** Who the development database is filled with, and what they said. `prisma/seed.ts` tells how it gets there. */

export interface SeedPerson {
  /** What the conversations below call them, and the first part of their e-mail address. */
  key: string;
  firstName: string;
  lastName: string;
}

export interface SeedChat {
  /** Absent: a direct chat of two. */
  title?: string;
  /** The first of a group is its owner. */
  members: string[];
  admins?: string[];
  /** How many of the newest messages somebody has not read; the others have read all. */
  unread?: Record<string, number>;
  scenes: SeedScene[];
}

export interface SeedScene {
  daysAgo: number;
  /** When its first line is said, UTC. A scene of today ends some minutes ago instead. */
  at?: string;
  /**
   * A line is `who: text`. After the text may stand `~~ what it was edited to`, `[deleted]`,
   * `[photo <name> <width>x<height>]` or `[place <latitude> <longitude>]`.
   */
  lines: string;
}

export const PEOPLE: SeedPerson[] = [
  { key: 'amara', firstName: 'Amara', lastName: 'Okafor' },
  { key: 'jonas', firstName: 'Jonas', lastName: 'Lindqvist' },
  { key: 'leila', firstName: 'Leïla', lastName: 'Ben Youssef' },
  { key: 'yuki', firstName: '優希', lastName: '田中' },
  { key: 'mateo', firstName: 'Mateo', lastName: 'Fernández Ruiz' },
  { key: 'oksana', firstName: 'Оксана', lastName: 'Шевчук' },
  { key: 'aarav', firstName: 'आरव', lastName: 'शर्मा' },
  { key: 'sara', firstName: 'سارة', lastName: 'الخطيب' },
  { key: 'minjun', firstName: '민준', lastName: '김' },
  { key: 'eleni', firstName: 'Ελένη', lastName: 'Παπαδοπούλου' },
  { key: 'siobhan', firstName: 'Siobhán', lastName: 'O’Neill' },
  { key: 'lan', firstName: 'Lan', lastName: 'Nguyễn' },
];

export const CHATS: SeedChat[] = [
  {
    title: 'Harbour Road 12',
    members: ['jonas', 'amara', 'leila', 'yuki', 'mateo'],
    admins: ['leila'],
    unread: { amara: 4, leila: 2, yuki: 1 },
    scenes: [
      {
        daysAgo: 31,
        at: '17:40',
        lines: `
jonas: Made us a group so that I can stop leaving notes on the fridge
leila: The notes were charming. The one about the cheese was a threat
jonas: The cheese was labelled
mateo: in very small letters
amara: Hello from the attic 👋
yuki: こんばんは! Hello everyone
jonas: House rule number one: whoever finishes the coffee buys the coffee
mateo: house rule number two: jonas may not make rules after 10 pm`,
      },
      {
        daysAgo: 27,
        at: '07:12',
        lines: `
leila: Is the hot water gone for anybody else?
yuki: Yes. I had a very fast shower
jonas: Boiler says E119. I have no idea what E119 is
amara: Low pressure. There is a black tap under the boiler, turn it until the needle is at 1.5
jonas: There are two black taps
amara: The one that is not hot
jonas: Ow. The other one then
jonas: It lives!! Thank you
mateo: what did I miss, I was asleep ~~ what did I miss, I was at the gym
leila: You were asleep, I heard you`,
      },
      {
        daysAgo: 22,
        at: '18:05',
        lines: `
jonas: Electricity is in: 184.60, so 36.92 each
amara: Sent
leila: Sent
yuki: Sent, but I wrote "cat food" as the reason by mistake
mateo: we do not have a cat
yuki: Not yet
mateo: 👀
jonas: We are not getting a cat
leila: Rule number two, Jonas. It is 10:04 pm where the cat is`,
      },
      {
        daysAgo: 15,
        at: '16:20',
        lines: `
mateo: my cousin Inés is in town thu to sun, can she have the sofa?
leila: Of course
amara: Yes! Does she eat everything?
mateo: everything except coriander. she says it tastes like soap and she is right
jonas: Fine by me. Towels are in the hall cupboard, second shelf
yuki: I can cook on Friday. Okonomiyaki for six?
amara: Please. I will bring the cabbage from the allotment, we are drowning in cabbage
yuki: How much is drowning?
amara: This much [photo cabbages.jpg 1600x1200]
yuki: That is a lot of okonomiyaki`,
      },
      {
        daysAgo: 11,
        at: '20:31',
        lines: `
leila: That was the best Friday in this house so far
mateo: inés wants to move in
jonas: Inés may move in if she fixes the boiler
yuki: I found one chopstick under the piano
amara: Only one?
yuki: Only one. The other is a mystery`,
      },
      {
        daysAgo: 5,
        at: '08:48',
        lines: `
jonas: The landlord comes on Thursday at 9 to look at the window in the stairwell
leila: I am in Lyon until Friday
amara: I can be here until half past
mateo: I work nights this week so I will be the one snoring
jonas: Then please hide the grill, Mateo. It is not allowed on the balcony
mateo: what grill
jonas: Exactly`,
      },
      {
        daysAgo: 0,
        lines: `
amara: He was here, the window is ordered. Two weeks
jonas: Did he go on the balcony?
amara: He went on the balcony
mateo: AND
amara: He said it smelled nice
jonas: I take back everything
leila: Home tomorrow at six with a suitcase of cheese. It is labelled, in LARGE letters
yuki: Whose turn is the recycling? The glass is winning
jonas: Mateo's. I checked the list twice`,
      },
    ],
  },
  {
    title: 'Allotment 7 🌱',
    members: ['amara', 'oksana', 'aarav', 'siobhan', 'eleni'],
    admins: ['oksana'],
    unread: { amara: 2, eleni: 2, siobhan: 2 },
    scenes: [
      {
        daysAgo: 30,
        at: '09:15',
        lines: `
amara: Welcome all! This is the plot: gate 3, past the blue shed [place 51.4521 -2.5967]
oksana: Доброго ранку! I was there already at seven, the gate code has changed, it is 2408
siobhan: Please do not write the code here [deleted]
siobhan: Sorry, wrong group 🙈 Thanks for the code
aarav: I have two trays of tomato seedlings on my windowsill that need a home
eleni: How many is two trays
aarav: Forty eight
eleni: Aarav
aarav: I planted them when I was sad`,
      },
      {
        daysAgo: 24,
        at: '15:30',
        lines: `
oksana: Beds one to three are dug. My back has resigned
amara: You are a hero. I will do four and five on Saturday
siobhan: The council says we may have the old bath tub as a pond if we carry it ourselves
aarav: How heavy can a bath tub be
siobhan: Cast iron
aarav: I see
eleni: My brother has a van and owes me a favour
oksana: What kind of favour?
eleni: The kind that is worth a bath tub`,
      },
      {
        daysAgo: 23,
        at: '12:02',
        lines: `
eleni: We have a pond [photo bathtub-pond.jpg 2048x1536]
amara: I am crying, it is perfect
aarav: My hands will never open again
siobhan: First frog gets a name. Taking suggestions
oksana: Богдан
siobhan: Bohdan it is`,
      },
      {
        daysAgo: 16,
        at: '06:55',
        lines: `
aarav: Slugs. SLUGS. Eleven seedlings gone overnight
oksana: Beer traps. My grandmother swore by them
eleni: Copper tape works better and you do not have to share your beer
amara: Bohdan will eat them when he comes
aarav: Bohdan is not here yet!! We need him now
siobhan: I will ask around`,
      },
      {
        daysAgo: 9,
        at: '17:45',
        lines: `
amara: Watering plan for next week: Mon me, Tue Oksana, Wed Aarav, Thu Siobhán, Fri Eleni, weekend whoever loves the garden most
oksana: The weekend is a trap
eleni: Can I swap Friday for Monday? I have a deadline
amara: Swapped: I take Friday
siobhan: The tap by gate 2 drips, bring a can from the other side
aarav: 🍅 count: 31 of 48 alive. I have stopped naming them`,
      },
      {
        daysAgo: 1,
        at: '18:10',
        lines: `
siobhan: EVERYBODY. There is a frog [photo bohdan.jpg 1200x1600]
aarav: BOHDAN
eleni: He looks exactly like a Bohdan
amara: I am leaving work early
oksana: Ласкаво просимо, Богдане 🐸
siobhan: He is sitting on Aarav's watering can as if he paid for it
aarav: He can have it`,
      },
      {
        daysAgo: 0,
        lines: `
aarav: First ripe tomato. I ate it. I did not take a picture, it was between me and the tomato
oksana: We are proud of you both`,
      },
    ],
  },
  {
    title: 'Release 2.4',
    members: ['minjun', 'amara', 'sara', 'lan', 'jonas'],
    admins: ['amara'],
    unread: { amara: 3, sara: 3, lan: 2 },
    scenes: [
      {
        daysAgo: 20,
        at: '08:30',
        lines: `
minjun: Everyone here? This is for 2.4 only, the rest stays in the usual place
sara: صباح الخير — here
lan: here
amara: Here. What is the date we told the customer?
minjun: The 23rd. So code freeze on Wednesday before
lan: The offline screen is done apart from the empty state
sara: I have the drawing for that, one moment [photo empty-state.png 1170x2532]
lan: oh that is lovely. the little lighthouse!
jonas: Can we name the lighthouse
minjun: No
jonas: Gustav
minjun: Fine`,
      },
      {
        daysAgo: 17,
        at: '13:05',
        lines: `
lan: question: when somebody loses the network halfway through sending, do we show the clock or the grey tick?
amara: Clock until the server has it, then one tick. Never a tick before that
sara: And if it fails for good?
amara: Red, with "Tap to try again". It sends with the same id, so tapping twice is fine
lan: I tapped nine times and got one message. I trust it now
jonas: You tapped nine times?
lan: I was testing. and also angry`,
      },
      {
        daysAgo: 13,
        at: '09:40',
        lines: `
jonas: Build 118 is on the test phones
sara: The title jumps by two pixels when the keyboard opens
jonas: On which phone?
sara: The old one with the cracked corner
jonas: That phone has feelings, but I will look
jonas: Found it, the safe area was counted twice. 119 in ten minutes ~~ Found it, the safe area was counted twice. 119 in an hour, CI is slow
lan: can confirm, CI is very slow. I made tea, twice
minjun: I will look into the cache. 118 took 22 minutes, that is silly
minjun: 6 minutes now. Somebody was downloading the emulator for every job
jonas: I wonder who
lan: it was jonas
jonas: It was me`,
      },
      {
        daysAgo: 8,
        at: '14:15',
        lines: `
minjun: The translations came back. Korean I did myself, who can read the Arabic and the Vietnamese?
sara: Arabic me. "Mute for 8 hours" has been translated as "be silent for 8 hours". A bit rude!
minjun: 😂 please mend it
lan: vietnamese is fine, one typo on the settings screen, pushed
amara: Swedish, Jonas?
jonas: "Gustav" is spelled correctly
amara: And the rest?
jonas: Also fine`,
      },
      {
        daysAgo: 4,
        at: '10:00',
        lines: `
minjun: Freeze is tomorrow at noon. What is still open?
lan: two. the badge count after a restart, and the share sheet on tablets
sara: The tablet one can wait, twelve people have a tablet
amara: Badge cannot wait. I have it in a branch, needs a second pair of eyes
lan: looking
lan: approved, one nit about a name
amara: Renamed, merged
minjun: 🎉 Then we freeze tomorrow as planned
jonas: I have never seen a plan survive until the day itself
minjun: Do not jinx it`,
      },
      {
        daysAgo: 1,
        at: '11:52',
        lines: `
minjun: Eight minutes until the freeze
jonas: I have a tiny one line change
minjun: No
jonas: It is a comma
sara: Where?
jonas: In the changelog
minjun: ...
minjun: Approved
jonas: ❤️`,
      },
      {
        daysAgo: 0,
        lines: `
amara: 2.4 has been at 5% since this morning. Crash-free sessions 99.97, the old one had 99.91
sara: First review is in: "finally sends on the underground". Five stars!
lan: 🥹 that is the whole reason I do this
minjun: 50% after lunch if nothing moves. Who is near a screen at two?
jonas: Me. And Gustav`,
      },
    ],
  },
  {
    title: 'Sunday football ⚽',
    members: ['mateo', 'amara', 'jonas', 'minjun', 'aarav', 'sara', 'siobhan'],
    unread: { sara: 4, minjun: 1, aarav: 7 },
    scenes: [
      {
        daysAgo: 26,
        at: '19:20',
        lines: `
mateo: sunday 10:30, the pitch behind the school [place 51.4475 -2.6011]
mateo: who is in?
amara: In
siobhan: In, if my knee agrees
sara: In! Can I bring my sister?
mateo: bring all your sisters
sara: There are four
mateo: then we have a team
jonas: Goalkeeper again?
mateo: you are tall jonas. it is your fate`,
      },
      {
        daysAgo: 24,
        at: '13:02',
        lines: `
mateo: final score 7:5, officially. unofficially nobody counted
sara: My sisters counted. It was 8:5
minjun: I cannot feel my legs
aarav: I scored an own goal and people were SO kind about it
jonas: It was a beautiful own goal. Top corner
siobhan: Knee has filed a complaint, will be back`,
      },
      {
        daysAgo: 17,
        at: '18:44',
        lines: `
mateo: this sunday? forecast says rain from 9
amara: Rain is just water with ambition
minjun: I am busy, sorry. 결혼식 — my cousin gets married
mateo: congratulations to the cousin!! six of us then
jonas: I bought gloves. Real ones
siobhan: He sleeps in them
jonas: I do not
sara: Photo or it did not happen
jonas: Here [photo gloves.jpg 1080x1080]
sara: They are so orange`,
      },
      {
        daysAgo: 10,
        at: '12:40',
        lines: `
aarav: GOAL. Right end this time
mateo: history was made today
amara: He ran three laps to celebrate and we had to wait
aarav: Two and a half`,
      },
      {
        daysAgo: 2,
        at: '17:15',
        lines: `
mateo: sunday, same time. the school wants the pitch back at 12 so be on time please
siobhan: In
aarav: In
jonas: In. And the gloves
sara: Two sisters can come, one has exams and one says you are all too slow
amara: I am at the allotment until eleven, I will come for the second half
mateo: the frog?
amara: The frog
minjun: Back from the wedding. In, very slowly
mateo: good. bring water, it will be hot`,
      },
    ],
  },
  {
    title: 'Ελένη turns 30 🤫',
    members: ['siobhan', 'amara', 'oksana', 'leila', 'aarav'],
    unread: { leila: 3 },
    scenes: [
      {
        daysAgo: 12,
        at: '20:02',
        lines: `
siobhan: Right. The 5th is a Saturday. She thinks nobody remembers
oksana: I remember everything
leila: I will bake. What does she like?
siobhan: Orange, almonds, no cream
leila: Portokalopita? I have a recipe from her own mother, she sent it to me when I asked "for a friend"
amara: You are dangerous
aarav: Where do we do it? The allotment has a pond now
siobhan: And a tap that drips and no roof. I like it
oksana: My neighbour lends me a tent, white, six by three`,
      },
      {
        daysAgo: 7,
        at: '19:30',
        lines: `
amara: Who gets her there without her noticing?
aarav: I could say that the slugs are back
siobhan: She would bring a spade
aarav: She would come though
leila: Slugs it is
oksana: Gift: she wants the second-hand loom from the shop on Mill Street. 140 between five of us?
amara: Yes
siobhan: Yes
aarav: Yes, it is 28 each
leila: Yes. I paid it already so that nobody else buys it, send it to me whenever`,
      },
      {
        daysAgo: 1,
        at: '21:11',
        lines: `
siobhan: Loom collected. It did not fit in my car. It fits in my kitchen, now I do not
amara: 😂😂
oksana: Tent is here. I will put it up on Friday evening while she is at choir
aarav: I practised saying "slugs" in front of the mirror
siobhan: And?
aarav: I believed me`,
      },
    ],
  },
  {
    members: ['amara', 'leila'],
    unread: { amara: 2 },
    scenes: [
      {
        daysAgo: 29,
        at: '21:14',
        lines: `
leila: Are you still awake up there?
amara: Unfortunately
leila: Tea?
amara: Kettle is on, bring the biscuits you hide from Jonas
leila: How do you know about the biscuits
amara: Everybody knows about the biscuits. Except Jonas`,
      },
      {
        daysAgo: 19,
        at: '12:33',
        lines: `
leila: I got it
amara: The residency????
leila: Six weeks in Lyon in spring. With a studio and a KILN
amara: LEÏLA. I am screaming in an open-plan office
leila: I have told nobody else yet. My mother first, then the house
amara: My lips are sealed. Dinner tonight, I pay, no discussion
leila: Merci ma belle 🧡`,
      },
      {
        daysAgo: 14,
        at: '18:50',
        lines: `
amara: Did you take my blue umbrella?
leila: The one with the wooden handle?
amara: Yes
leila: No
amara: Leïla
leila: It is in Lyon ~~ It is having an adventure
amara: I want it back with a stamp in its passport`,
      },
      {
        daysAgo: 6,
        at: '09:25',
        lines: `
leila: Found the studio. It smells of wet clay and oranges. This is the view [photo lyon-window.jpg 3024x4032]
amara: I hate you a little
leila: Your umbrella says hello
amara: Is it raining?
leila: It is not. I carry it for company
amara: How is the French of the kiln?
leila: Better than mine in the morning`,
      },
      {
        daysAgo: 0,
        lines: `
amara: Train at six tomorrow? I could fetch you from the station
leila: 18:04, platform 2. I have the suitcase, the umbrella and, fair warning, a cheese that needs its own seat
leila: Also I have an idea about the attic and your big window. Do not say no before you have heard it`,
      },
    ],
  },
  {
    members: ['amara', 'minjun'],
    unread: { amara: 1 },
    scenes: [
      {
        daysAgo: 18,
        at: '15:02',
        lines: `
minjun: Do you have ten minutes? I would rather ask you than the whole group
amara: Sure. Call or here?
minjun: Here is fine. Lan wants to lead the next release. I think yes. You?
amara: Absolutely yes. She has led this one already, only without the title
minjun: That is what I thought. Thank you
amara: Tell her soon! She thinks you think she is slow
minjun: What? She is the fastest of us
amara: So tell her`,
      },
      {
        daysAgo: 16,
        at: '10:20',
        lines: `
minjun: I told her. She said "ok" and then I heard a very loud noise from the kitchen
amara: 😄 That was her
minjun: 고마워, really`,
      },
      {
        daysAgo: 7,
        at: '17:58',
        lines: `
amara: The invoice for the test phones is 1,240 and not 1,204. I typed it wrong in the sheet ~~ The invoice for the test phones is 1,240 and not 1,204. I typed it wrong in the sheet, mended now
minjun: Thanks, I would not have seen it
amara: Neither would I. The accountant did, with three exclamation marks`,
      },
      {
        daysAgo: 0,
        lines: `
amara: Dashboard is calm. I would go to 50
minjun: Then let us go. Could you write the two lines for the customer? They read yours, they skim mine`,
      },
    ],
  },
  {
    members: ['oksana', 'amara'],
    scenes: [
      {
        daysAgo: 21,
        at: '07:03',
        lines: `
oksana: Good morning! I left a bucket of strawberries behind the blue shed for you
amara: You are an angel. How many may I take?
oksana: All. I ate mine standing up
amara: The only correct way`,
      },
      {
        daysAgo: 13,
        at: '19:47',
        lines: `
oksana: My mother arrives on the 2nd. Is it very silly that I clean the windows twice?
amara: Not at all. Does she like gardens?
oksana: She will inspect the beds and say that the rows are crooked
amara: They are crooked
oksana: I know. I could see it from the shed
amara: I will lend you my string and two pegs on Saturday
oksana: Дякую ❤️`,
      },
      {
        daysAgo: 3,
        at: '16:35',
        lines: `
oksana: She came. She looked. She said: "the rows are crooked, but the frog pond is clever"
amara: That is practically a medal
oksana: I will have it framed
amara: Bring her on Sunday! I make jollof, she can inspect that too
oksana: Careful what you wish for`,
      },
    ],
  },
  {
    members: ['amara', 'yuki'],
    unread: { yuki: 1 },
    scenes: [
      {
        daysAgo: 25,
        at: '22:10',
        lines: `
yuki: Sorry, was my violin too loud?
amara: Not at all, I opened my door to hear it. What was it?
yuki: Bach, the second partita. I play it when I cannot sleep
amara: Then I hope you sleep badly once a week
yuki: 😂 ありがとう`,
      },
      {
        daysAgo: 12,
        at: '11:26',
        lines: `
yuki: How much cabbage may I take for Friday?
amara: Yes
yuki: That is not a number
amara: It is how much cabbage there is`,
      },
      {
        daysAgo: 2,
        at: '20:05',
        lines: `
yuki: There is a cat on the roof outside my window
amara: Whose?
yuki: Nobody's. She has no collar. She looked at me and then at the warm place under the roof
amara: Do not tell Jonas
yuki: I told Jonas. He went out and bought tuna
amara: JONAS?
yuki: He says that it is for the landlord [deleted]
amara: I saw that before you deleted it 😄`,
      },
    ],
  },
  {
    members: ['mateo', 'amara'],
    scenes: [
      {
        daysAgo: 28,
        at: '23:41',
        lines: `
mateo: locked out, anyone home? everyone's phone is off
amara: Coming down. Two minutes
mateo: you are the best neighbour on the whole staircase
amara: Mateo, we live in the same flat
mateo: the best in the flat too`,
      },
      {
        daysAgo: 3,
        at: '14:22',
        lines: `
mateo: could you look over my application? it is one page, for the physiotherapy course
amara: Send it
mateo: sent to your mail. be cruel
amara: Read it. It is good! Cut the second paragraph, start with the story about your grandfather's hip
mateo: that was the part I wanted to cut
amara: That is the part they will remember
mateo: ok. ok! gracias, de verdad`,
      },
    ],
  },
  {
    members: ['eleni', 'amara'],
    unread: { amara: 1 },
    scenes: [
      {
        daysAgo: 4,
        at: '19:12',
        lines: `
eleni: Be honest: does everybody forget my birthday, or does it only feel like it?
amara: When is it again?
eleni: Very funny
amara: I have a terrible memory for dates, you know that
eleni: You remember the serial number of a boiler`,
      },
      {
        daysAgo: 0,
        lines: `
eleni: Aarav says that the slugs are back and that I have to come on Saturday with a torch. Why does he sound like a bad actor?`,
      },
    ],
  },
  {
    members: ['jonas', 'leila'],
    scenes: [
      {
        daysAgo: 14,
        at: '08:02',
        lines: `
jonas: Honest question, do you hide biscuits?
leila: What makes you think that
jonas: Crumbs. Behind the encyclopaedia, volume M to N
leila: Those are very old crumbs
jonas: They are lemon. We have had lemon biscuits for one week
leila: I want a lawyer`,
      },
      {
        daysAgo: 13,
        at: '18:30',
        lines: `
jonas: Peace offering: I bought two packets. One for the shelf, one for volume M to N
leila: Jonas Lindqvist, you are a gentleman`,
      },
    ],
  },
  {
    members: ['sara', 'lan'],
    unread: { lan: 2 },
    scenes: [
      {
        daysAgo: 16,
        at: '10:31',
        lines: `
sara: What was that noise in the kitchen??
lan: me
sara: Good noise or bad noise?
lan: minjun asked me to lead the next release
sara: مبروك!!! I knew it I knew it I knew it
lan: I am already making lists
sara: Of course you are`,
      },
      {
        daysAgo: 6,
        at: '13:47',
        lines: `
lan: which green do we use for "sent", I see three in the file
sara: #2E7D5B. The other two are from when I was tired
lan: deleting them
sara: Keep the middle one, I am fond of it
lan: no
sara: Fair`,
      },
      {
        daysAgo: 1,
        at: '16:04',
        lines: `
lan: lunch tomorrow? the new phở place, my aunt says it is "not bad", that is three stars from her [place 51.4545 -2.5879]
sara: Yes please. Half past twelve?
sara: And I will bring the colours for 2.5, they are a bit brave`,
      },
    ],
  },
  {
    members: ['aarav', 'siobhan'],
    scenes: [
      {
        daysAgo: 15,
        at: '07:20',
        lines: `
siobhan: I asked around. There is a man with frogs
aarav: Legally?
siobhan: He says they come by themselves if the water stands for two weeks, and that I should stop ringing him
aarav: So we wait
siobhan: We wait`,
      },
      {
        daysAgo: 1,
        at: '18:40',
        lines: `
aarav: I cannot believe that he came. Fifteen days, as the man said
siobhan: I rang him to say thank you
aarav: And?
siobhan: He hung up, but gently`,
      },
    ],
  },
];
