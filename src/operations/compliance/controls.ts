/** The controls that Holdfast's ledger has to do with: what each asks, in words of our own, and what of the ledger answers it. */
import type { Framework } from '../../plan/index.ts';
import { backups, copies, encryption, integrity, proofs, redundancy, restores, retention } from './keeping.ts';
import type { Observation } from './observation.ts';
import { continuity, criticality, drills, incidents, lessons, reviews, revisions } from './recovering.ts';
import { access, breachRecords, breachReports, monitoring, signing } from './watching.ts';

export interface Control {
  framework: Framework;
  /** As the standard numbers it. */
  control: string;
  title: string;
  asks: string;
  /** What has to be shown, each: what is missing in one keeps the control from being carried. */
  shownBy: readonly Observation[];
  /** What adds to it where it is there. */
  supportedBy?: readonly Observation[];
}

export const FRAMEWORK_NAMES: Record<Framework, string> = {
  soc2: 'SOC 2',
  iso27001: 'ISO 27001:2022',
  hipaa: 'HIPAA',
  gdpr: 'GDPR',
};

const SOC2: readonly Omit<Control, 'framework'>[] = [
  {
    control: 'A1.2',
    title: 'Backup processes and recovery infrastructure',
    asks: 'Data is backed up and copied elsewhere by processes that are run, watched and kept in order.',
    shownBy: [backups, integrity, copies, monitoring],
    supportedBy: [retention],
  },
  {
    control: 'A1.3',
    title: 'Tests of recovery',
    asks: 'It is tried out, again and again, whether systems come back by the procedures there are.',
    shownBy: [proofs, drills],
  },
  {
    control: 'CC7.4',
    title: 'Response to incidents',
    asks: 'Incidents are answered by a programme that is laid down: somebody takes them up, they are contained, ended and told of.',
    shownBy: [incidents],
    supportedBy: [drills, monitoring],
  },
  {
    control: 'CC7.5',
    title: 'Recovery from incidents',
    asks: 'After an incident things are brought back, its cause is looked into, and what is learned changes the plan.',
    shownBy: [incidents, lessons],
    supportedBy: [restores, revisions],
  },
];

const ISO27001: readonly Omit<Control, 'framework'>[] = [
  {
    control: 'A.5.29',
    title: 'Information security during disruption',
    asks: 'Information stays as protected as it has to be while things are disturbed, and this is planned.',
    shownBy: [continuity, signing, encryption],
    supportedBy: [incidents, access],
  },
  {
    control: 'A.5.30',
    title: 'ICT readiness for business continuity',
    asks: 'How fast systems must be back is decided, prepared for, and tested.',
    shownBy: [criticality, proofs, drills, reviews],
  },
  {
    control: 'A.8.13',
    title: 'Information backup',
    asks: 'Copies of information and systems are kept as was decided, and tested regularly.',
    shownBy: [backups, integrity, proofs],
    supportedBy: [copies, retention],
  },
  {
    control: 'A.8.14',
    title: 'Redundancy of information processing facilities',
    asks: 'There is enough in more than one place for what has to stay available.',
    shownBy: [redundancy],
  },
];

const HIPAA: readonly Omit<Control, 'framework'>[] = [
  {
    control: '164.308(a)(7)(ii)(A)',
    title: 'Data backup plan',
    asks: 'Exact copies of health information are made by a procedure, kept, and can be had again.',
    shownBy: [backups, integrity],
    supportedBy: [copies, retention],
  },
  {
    control: '164.308(a)(7)(ii)(B)',
    title: 'Disaster recovery plan',
    asks: 'There are procedures by which lost data is restored, and they are put into force.',
    shownBy: [revisions, proofs, drills],
    supportedBy: [incidents, restores],
  },
  {
    control: '164.308(a)(7)(ii)(C)',
    title: 'Emergency mode operation plan',
    asks: 'What has to go on to protect health information goes on in an emergency.',
    shownBy: [continuity],
    supportedBy: [incidents],
  },
  {
    control: '164.308(a)(7)(ii)(D)',
    title: 'Testing and revision procedures',
    asks: 'Plans for contingencies are tested from time to time, and revised by what that shows.',
    shownBy: [drills, proofs, reviews, revisions],
  },
  {
    control: '164.308(a)(7)(ii)(E)',
    title: 'Applications and data criticality analysis',
    asks: 'It is known which applications and data the other plans depend on, and how much.',
    shownBy: [criticality],
  },
];

const GDPR: readonly Omit<Control, 'framework'>[] = [
  {
    control: 'Art. 32(1)(a)',
    title: 'Encryption of personal data',
    asks: 'Personal data is encrypted or pseudonymised where the risk calls for it.',
    shownBy: [encryption],
  },
  {
    control: 'Art. 32(1)(b)',
    title: 'Confidentiality, integrity, availability and resilience',
    asks: 'Systems stay confidential, whole, available and able to bear trouble.',
    shownBy: [integrity, monitoring, redundancy],
    supportedBy: [access, signing],
  },
  {
    control: 'Art. 32(1)(c)',
    title: 'Restoring availability and access in time',
    asks: 'After an incident personal data can be had again soon enough.',
    shownBy: [backups, proofs],
    supportedBy: [incidents, restores],
  },
  {
    control: 'Art. 32(1)(d)',
    title: 'Regular testing of the measures',
    asks: 'It is tested, assessed and judged from time to time whether the measures work.',
    shownBy: [proofs, drills, reviews],
  },
  {
    control: 'Art. 33(1)',
    title: 'Notice of breaches within 72 hours',
    asks: 'The authority is told of a breach of personal data within 72 hours of its becoming known.',
    shownBy: [breachReports],
  },
  {
    control: 'Art. 33(5)',
    title: 'Register of breaches',
    asks: 'Each breach is written down with its facts, its effects and what was done.',
    shownBy: [breachRecords],
  },
];

/** In the order of the standards. */
export const CONTROLS: readonly Control[] = [
  ...of('soc2', SOC2),
  ...of('iso27001', ISO27001),
  ...of('hipaa', HIPAA),
  ...of('gdpr', GDPR),
];

function of(framework: Framework, controls: readonly Omit<Control, 'framework'>[]): Control[] {
  return controls.map((control) => ({ framework, ...control }));
}
